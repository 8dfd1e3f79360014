/** Which exports a rule would give a name: the placement of an export, read backwards. Pure. */
import type { ObjectKey } from '../api/object.ts';
import { nameOf } from './placement.ts';
import { namespaceOf } from './rule.ts';
import type { AnyImportRule } from './types.ts';

/** The exports that would become an import of that name. */
export interface Wanted {
  /** Absent: of any namespace. */
  readonly namespaces?: readonly string[];
  /** Absent: which one follows from no list. */
  readonly names?: readonly string[];
  /** The rule writes the name out, or a list from which it follows: it means this import, and not just any. */
  readonly isExplicit: boolean;
}

/** Undefined: whatever is offered, this rule names nothing so. Peers count by `peerNames`, those that the rule selects. */
export function findWanted(rule: AnyImportRule, key: ObjectKey, peerNames: readonly string[]): Wanted | undefined {
  const { exports } = rule.spec;
  const namespaces = namespacesFor(rule, key);
  if (namespaces !== undefined && namespaces.length === 0) return undefined;
  const template = rule.spec.into?.name ?? '{name}';
  // A word that is not in a list can still be all of the name; any other template stays open.
  const names = exports.names ?? (template === '{name}' ? [key.name] : undefined);
  const scope = namespaces === undefined ? {} : { namespaces };
  if (names === undefined) return isOpenFor(template, key.name) ? { ...scope, isExplicit: false } : undefined;
  const fitting = names.filter((name) =>
    (namespaces ?? ['']).some((namespace) =>
      (template.includes('{peer}') ? peerNames : ['']).some(
        (peer) => nameOf(rule, { peer, namespace, name }) === key.name,
      ),
    ),
  );
  const isUnknowable = namespaces === undefined && template.includes('{namespace}');
  if (isUnknowable) return isOpenFor(template, key.name) ? { names, isExplicit: false } : undefined;
  return fitting.length === 0 ? undefined : { ...scope, names: fitting, isExplicit: exports.names !== undefined };
}

/** The namespaces of exports from which the rule comes to the namespace of the import; undefined: all. */
function namespacesFor(rule: AnyImportRule, { namespace }: ObjectKey): readonly string[] | undefined {
  const { namespaces } = rule.spec.exports;
  const isSame = rule.kind === 'ClusterImportRule' && rule.spec.into.sameNamespace === true;
  if (!isSame) return namespaceOf(rule, '') === namespace ? namespaces : [];
  return namespaces === undefined || namespaces.includes(namespace) ? [namespace] : [];
}

/** Whether the fixed beginning and end of the template are those of the name. */
function isOpenFor(template: string, name: string): boolean {
  const first = template.indexOf('{');
  if (first === -1) return template === name;
  const end = template.slice(template.lastIndexOf('}') + 1);
  return name.startsWith(template.slice(0, first)) && name.endsWith(end);
}
