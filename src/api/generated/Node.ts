// Generated from src/api/builtin/node.yaml by "npm run models". Do not edit.
import { createTypeMetaGuard, Model, setValidateFunc, type ModelData } from '@kubernetes-models/base';
import type { ObjectMeta } from '../object.ts';
import { validateModel } from '../schema.ts';

export interface NodeStatusAddress {
  type: string;
  address: string;
}

export interface NodeStatus {
  addresses?: NodeStatusAddress[];
}

/** Its addresses are never targets of an export. */
export interface INode {
  apiVersion: 'v1';
  kind: 'Node';
  metadata?: ObjectMeta;
  status?: NodeStatus;
}

export interface Node extends INode {}
export class Node extends Model<INode> {
  static readonly apiVersion = 'v1' as const;
  static readonly kind = 'Node' as const;
  static readonly is = createTypeMetaGuard<INode>(Node);

  constructor(data?: ModelData<INode>) {
    super();
    this.setDefinedProps({ apiVersion: Node.apiVersion, kind: Node.kind, ...data } as ModelData<INode>);
  }
}
setValidateFunc(Node, validateModel(Node));
