// Generated from crds/clusterlink.net_imports.yaml by "npm run models". Do not edit.
import { createTypeMetaGuard, Model, setValidateFunc, type ModelData } from '@kubernetes-models/base';
import type { Condition, ObjectMeta } from '../object.ts';
import { validateModel } from '../schema.ts';

export interface ImportSpecSource {
  /** The name of a Peer, or of this peer itself. */
  peer: string;
  /** The name of the export there, or <service>.<port name>. Empty: that of the Import. */
  exportName: string;
  /** Its namespace there. Empty: that of the Import. */
  exportNamespace: string;
}

export interface ImportSpec {
  /** The TCP port that clients connect to. */
  port: number;
  /** A claim that no other Import may make; gateways listen on ports of their own range. Absent or 0: none. */
  targetPort?: number;
  /** The exports that may serve a connection, in order. */
  sources: ImportSpecSource[];
  /** How a source is chosen, round-robin, random or static (in order). Anything else counts as round-robin. */
  lbScheme?: string;
}

export interface ImportStatus {
  conditions?: Condition[];
}

/** A local Service whose connections go to exports of peers. */
export interface IImport {
  apiVersion: 'clusterlink.net/v1alpha1';
  kind: 'Import';
  metadata?: ObjectMeta;
  spec: ImportSpec;
  status?: ImportStatus;
}

export interface Import extends IImport {}
export class Import extends Model<IImport> {
  static readonly apiVersion = 'clusterlink.net/v1alpha1' as const;
  static readonly kind = 'Import' as const;
  static readonly is = createTypeMetaGuard<IImport>(Import);

  constructor(data?: ModelData<IImport>) {
    super();
    this.setDefinedProps({ apiVersion: Import.apiVersion, kind: Import.kind, ...data } as ModelData<IImport>);
  }
}
setValidateFunc(Import, validateModel(Import));
