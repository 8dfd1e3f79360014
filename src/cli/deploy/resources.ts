/** Where the API server keeps the kinds that an installation consists of, beside those of `api/kinds.ts`. */
import { AppError } from '../../api/errors.ts';
import { isKindName, KINDS } from '../../api/kinds.ts';
import type { KubeObject } from '../../api/object.ts';

export interface Resource {
  readonly kind: string;
  /** Empty for core/v1. */
  readonly group: string;
  /** The first that is served counts. */
  readonly versions: readonly string[];
  readonly plural: string;
  readonly namespaced: boolean;
}

const resource = (kind: string, group: string, plural: string, scope: 'cluster' | 'namespace'): Resource => ({
  kind,
  group,
  versions: ['v1'],
  plural,
  namespaced: scope === 'namespace',
});

const INSTALLED: readonly Resource[] = [
  resource('CustomResourceDefinition', 'apiextensions.k8s.io', 'customresourcedefinitions', 'cluster'),
  resource('ServiceAccount', '', 'serviceaccounts', 'namespace'),
  resource('ConfigMap', '', 'configmaps', 'namespace'),
  resource('Secret', '', 'secrets', 'namespace'),
  resource('ClusterRole', 'rbac.authorization.k8s.io', 'clusterroles', 'cluster'),
  resource('ClusterRoleBinding', 'rbac.authorization.k8s.io', 'clusterrolebindings', 'cluster'),
  resource('Role', 'rbac.authorization.k8s.io', 'roles', 'namespace'),
  resource('RoleBinding', 'rbac.authorization.k8s.io', 'rolebindings', 'namespace'),
  resource('Deployment', 'apps', 'deployments', 'namespace'),
  resource('PodDisruptionBudget', 'policy', 'poddisruptionbudgets', 'namespace'),
  resource('NetworkPolicy', 'networking.k8s.io', 'networkpolicies', 'namespace'),
  resource('ValidatingAdmissionPolicy', 'admissionregistration.k8s.io', 'validatingadmissionpolicies', 'cluster'),
  resource(
    'ValidatingAdmissionPolicyBinding',
    'admissionregistration.k8s.io',
    'validatingadmissionpolicybindings',
    'cluster',
  ),
];

/** @throws {AppError} `ERR_INTERNAL` for a kind that no manifest of ours has. */
export function resourceOf(kind: string): Resource {
  const installed = INSTALLED.find((candidate) => candidate.kind === kind);
  if (installed !== undefined) return installed;
  if (!isKindName(kind)) throw new AppError('ERR_INTERNAL', `${kind}: is not a kind that is deployed`);
  const { group, served, plural, namespaced } = KINDS[kind];
  return { kind, group, versions: served, plural, namespaced };
}

/** `/apis/GROUP/VERSION[/namespaces/NAMESPACE]/PLURAL`; without a namespace that of all of them. */
export function listPath({ group, plural }: Resource, version: string, namespace?: string): string {
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  return `${root}${namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`}/${plural}`;
}

/** In the version that the object has. */
export function pathOf(object: KubeObject): string {
  const version = object.apiVersion.split('/').at(-1) ?? '';
  const { namespace, name = '' } = object.metadata ?? {};
  return `${listPath(resourceOf(object.kind), version, namespace)}/${encodeURIComponent(name)}`;
}
