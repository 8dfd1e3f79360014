/** Further DNS names that an import may have: which are possible, and what a rule's template makes of them. */
import { isSubdomain } from './names.ts';
import type { ObjectKey } from './object.ts';

/** Zones whose names the cluster and the KEP define: an alias there would shadow somebody's service. */
export const DEFINED_ZONES = ['cluster.local', 'clusterset.local'] as const;

/** Letters, digits, '-', '.' and the two words in braces. */
const TEMPLATE = /^(?:[a-z0-9.-]|\{(?:name|namespace)\})+$/;
const LABEL_CHARS_MAX = 63;

/** Whether it can make a DNS name of two labels or more outside {@link DEFINED_ZONES}. */
export function isAliasTemplate(template: string): boolean {
  return TEMPLATE.test(template) && expandAlias(template, { namespace: 'x', name: 'x' }) !== undefined;
}

/** The name for one import, whose key stands for `{name}` and `{namespace}`; undefined when it makes none. */
export function expandAlias(template: string, { namespace, name }: ObjectKey): string | undefined {
  const alias = template.replaceAll('{name}', name).replaceAll('{namespace}', namespace);
  const labels = alias.split('.');
  const isDefined = DEFINED_ZONES.some((zone) => alias === zone || alias.endsWith(`.${zone}`));
  const isName = isSubdomain(alias) && labels.length > 1 && labels.every((label) => label.length <= LABEL_CHARS_MAX);
  return isName && !isDefined ? alias : undefined;
}
