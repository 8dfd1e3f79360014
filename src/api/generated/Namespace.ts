// Generated from src/api/builtin/namespace.yaml by "npm run models". Do not edit.
import { createTypeMetaGuard, Model, setValidateFunc, type ModelData } from '@kubernetes-models/base';
import type { ObjectMeta } from '../object.ts';
import { validateModel } from '../schema.ts';

export interface NamespaceStatus {
  phase?: string;
}

/** Where imports may be named, as far as it is there and not on its way out. */
export interface INamespace {
  apiVersion: 'v1';
  kind: 'Namespace';
  metadata?: ObjectMeta;
  status?: NamespaceStatus;
}

export interface Namespace extends INamespace {}
export class Namespace extends Model<INamespace> {
  static readonly apiVersion = 'v1' as const;
  static readonly kind = 'Namespace' as const;
  static readonly is = createTypeMetaGuard<INamespace>(Namespace);

  constructor(data?: ModelData<INamespace>) {
    super();
    this.setDefinedProps({ apiVersion: Namespace.apiVersion, kind: Namespace.kind, ...data } as ModelData<INamespace>);
  }
}
setValidateFunc(Namespace, validateModel(Namespace));
