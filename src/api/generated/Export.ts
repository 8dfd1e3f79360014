// Generated from crds/clusterlink.net_exports.yaml by "npm run models". Do not edit.
import { createTypeMetaGuard, Model, setValidateFunc, type ModelData } from '@kubernetes-models/base';
import type { Condition, ObjectMeta } from '../object.ts';
import { validateModel } from '../schema.ts';

export interface ExportSpec {
  /** A DNS name or an IP address. Empty means the Service of the same name. */
  host?: string;
  /** The port of the Service, or of the host, from 1 to 65535. */
  port?: number;
}

export interface ExportStatus {
  conditions?: Condition[];
}

/** One TCP port that other peers may use, if policies here and there allow it. */
export interface IExport {
  apiVersion: 'clusterlink.net/v1alpha1';
  kind: 'Export';
  metadata?: ObjectMeta;
  spec?: ExportSpec;
  status?: ExportStatus;
}

export interface Export extends IExport {}
export class Export extends Model<IExport> {
  static readonly apiVersion = 'clusterlink.net/v1alpha1' as const;
  static readonly kind = 'Export' as const;
  static readonly is = createTypeMetaGuard<IExport>(Export);

  constructor(data?: ModelData<IExport>) {
    super();
    this.setDefinedProps({ apiVersion: Export.apiVersion, kind: Export.kind, ...data } as ModelData<IExport>);
  }
}
setValidateFunc(Export, validateModel(Export));
