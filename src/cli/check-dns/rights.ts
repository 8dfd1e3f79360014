/** Whether a service account may do something, by cluster roles and their bindings. Pure. */
import type { Manifest } from '../deploy/manifests.ts';

export interface Wanted {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly group: string;
  readonly resource: string;
  readonly verbs: readonly string[];
}

interface Rule {
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly verbs?: readonly string[];
  readonly resourceNames?: readonly string[];
}

interface Subject {
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
}

/** In all namespaces: what roles of one namespace say is no part of it. */
export function isAllowed(wanted: Wanted, roles: readonly Manifest[], bindings: readonly Manifest[]): boolean {
  const bound = new Set(
    bindings.filter((binding) => subjectsOf(binding).some((subject) => isAccount(subject, wanted))).map(roleNameOf),
  );
  const rules = roles.filter(({ metadata }) => bound.has(metadata?.name ?? '')).flatMap(rulesOf);
  return wanted.verbs.every((verb) => rules.some((rule) => covers(rule, wanted, verb)));
}

function isAccount({ kind, name, namespace }: Subject, wanted: Wanted): boolean {
  if (kind === 'ServiceAccount') return name === wanted.serviceAccount && namespace === wanted.namespace;
  if (kind === 'User') return name === `system:serviceaccount:${wanted.namespace}:${wanted.serviceAccount}`;
  return groupsOf(wanted).includes(name);
}

/** https://kubernetes.io/docs/reference/access-authn-authz/authentication/#service-account-tokens */
export function groupsOf({ namespace }: Pick<Wanted, 'namespace'>): string[] {
  return ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'];
}

function covers(
  { apiGroups = [], resources = [], verbs = [], resourceNames = [] }: Rule,
  wanted: Wanted,
  verb: string,
): boolean {
  const has = (list: readonly string[], member: string): boolean => list.includes(member) || list.includes('*');
  // Named objects cannot be listed as a whole.
  return (
    has(apiGroups, wanted.group) && has(resources, wanted.resource) && has(verbs, verb) && resourceNames.length === 0
  );
}

function subjectsOf(binding: Manifest): readonly Subject[] {
  return (binding as { readonly subjects?: readonly Subject[] | null }).subjects ?? [];
}

function roleNameOf(binding: Manifest): string {
  return (binding as { readonly roleRef?: { readonly name: string } }).roleRef?.name ?? '';
}

function rulesOf(role: Manifest): readonly Rule[] {
  return (role as { readonly rules?: readonly Rule[] | null }).rules ?? [];
}
