/** Where an export lands: a name inside the space that its rule grants, or the reason why nowhere. Names are never cut. */
import { isLabel, isRestrictedNamespace } from '../api/names.ts';
import { formatKey, type ObjectKey } from '../api/object.ts';
import type { SourceKey } from '../api/record.ts';
import type { Candidate } from './candidate.ts';
import type { RequestIndex } from './requests.ts';
import { namespaceOf } from './rule.ts';
import type { AnyImportRule, SkipReason } from './types.ts';

export interface Skip {
  readonly reason: SkipReason;
  /** For people: what is wrong, and what to do. */
  readonly message: string;
}

export type Placement = { readonly key: ObjectKey } | { readonly skip: Skip };

/** Where names are looked for. */
export interface Space {
  /** Absent: every namespace is there. */
  readonly namespaces: ReadonlySet<string> | undefined;
  readonly requests: RequestIndex;
}

/** Longest label (RFC 1035 §2.3.4). Of two labels `<name>.<namespace>.svc.clusterset.local` has at most 146 of 253 (DNS-26). */
const LABEL_CHARS_MAX = 63;

/** One place, or for a rule of mode Requested one for each ServiceImport that asks: none when nobody does. */
export function place(rule: AnyImportRule, candidate: Candidate, { namespaces, requests }: Space): Placement[] {
  const placement = nameByRule(rule, candidate);
  if (rule.spec.mode === 'Requested') return placeRequested({ rule, candidate, requests, placement });
  if ('skip' in placement) return [placement];
  const { key } = placement;
  if (namespaces?.has(key.namespace) === false) {
    return [skip('NamespaceNotFound', `There is no namespace ${key.namespace}, or it is going. Fix: create it.`)];
  }
  const name = formatKey(key);
  if (requests.has(name)) return [skip('NameTaken', `A ServiceImport ${name} that is not ours is there.`)];
  return [placement];
}

interface Requested {
  readonly rule: AnyImportRule;
  readonly candidate: Candidate;
  readonly requests: RequestIndex;
  readonly placement: Placement;
}

/** Who asks chooses the name; the rule says which exports, and in which namespace. */
function placeRequested({ rule, candidate, requests, placement }: Requested): Placement[] {
  const namespace = namespaceOf(rule, candidate.source.namespace);
  const name = 'key' in placement ? placement.key.name : candidate.source.name;
  const asking = requests.answeredBy({ namespace, source: candidate.text, name });
  const refusal = findRefusal(rule, candidate);
  if (refusal !== undefined) return asking.length > 0 ? [refusal] : [];
  return asking.map(({ key }) => ({ key }));
}

function nameByRule(rule: AnyImportRule, candidate: Candidate): Placement {
  const refusal = findRefusal(rule, candidate);
  if (refusal !== undefined) return refusal;
  const { source } = candidate;
  const name = nameOf(rule, source);
  if (name.length > LABEL_CHARS_MAX) {
    const fix = 'Fix: give it a shorter one by spec.into.name of a rule of its own.';
    return skip('NameTooLong', `Its name here would have ${name.length} of ${LABEL_CHARS_MAX} characters. ${fix}`);
  }
  if (!isLabel(name)) return skip('InvalidName', 'Its name here would not be an RFC 1123 label. Fix: spec.into.name.');
  return { key: { namespace: namespaceOf(rule, source.namespace), name } };
}

/** The name that the rule gives an export, which may be none that can be. */
export function nameOf(rule: AnyImportRule, source: SourceKey): string {
  return (rule.spec.into?.name ?? '{name}').replaceAll(
    /\{(name|namespace|peer)\}/g,
    (_, word: keyof SourceKey) => source[word],
  );
}

/** What keeps an export out whatever its name would be. */
function findRefusal(rule: AnyImportRule, { source, record }: Candidate): { readonly skip: Skip } | undefined {
  if ((record.requires ?? []).length > 0) {
    return skip('UnknownFeature', 'It needs a feature that this version lacks. Fix: upgrade this peer.');
  }
  // Peers' names are checked where they enter; here once more, as the name of a tenant's object is made of them.
  if (!isLabel(source.namespace) || !isLabel(source.name)) {
    return skip('InvalidName', 'Its name or namespace is not an RFC 1123 label.');
  }
  if (isReachedByWildcard(rule, source.namespace)) {
    return skip(
      'RestrictedNamespace',
      `Wildcards do not reach namespace ${source.namespace}. Fix: list it in spec.exports.namespaces.`,
    );
  }
  return undefined;
}

/**
 * `kube-system` and the like take part only where they are written out (NSS-03): with exports.all, without
 * exports.namespaces and with sameNamespace the namespace would be the peer's to say.
 */
function isReachedByWildcard({ spec }: AnyImportRule, namespace: string): boolean {
  return isRestrictedNamespace(namespace) && !(spec.exports.namespaces ?? []).includes(namespace);
}

function skip(reason: SkipReason, message: string): { readonly skip: Skip } {
  return { skip: { reason, message } };
}
