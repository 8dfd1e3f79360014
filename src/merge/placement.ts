/** Where an export lands: a name inside the space that its rule grants, or the reason why nowhere. Names are never cut. */
import { isLabel, isRestrictedNamespace } from '../api/names.ts';
import type { ObjectKey } from '../api/object.ts';
import type { Candidate } from './candidate.ts';
import { namespaceOf } from './rule.ts';
import type { AnyImportRule, SkipReason } from './types.ts';

export interface Skip {
  readonly reason: SkipReason;
  /** For people: what is wrong, and what to do. */
  readonly message: string;
}

export type Placement = { readonly key: ObjectKey } | { readonly skip: Skip };

/** Longest label (RFC 1035 §2.3.4). Of two labels `<name>.<namespace>.svc.clusterset.local` has at most 146 of 253 (DNS-26). */
const LABEL_CHARS_MAX = 63;

export function place(rule: AnyImportRule, { source, record }: Candidate): Placement {
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
  const name = (rule.spec.into?.name ?? '{name}').replaceAll(
    /\{(name|namespace|peer)\}/g,
    (_, word: keyof typeof source) => source[word],
  );
  if (name.length > LABEL_CHARS_MAX) {
    const fix = 'Fix: give it a shorter one by spec.into.name of a rule of its own.';
    return skip('NameTooLong', `Its name here would have ${name.length} of ${LABEL_CHARS_MAX} characters. ${fix}`);
  }
  if (!isLabel(name)) return skip('InvalidName', 'Its name here would not be an RFC 1123 label. Fix: spec.into.name.');
  return { key: { namespace: namespaceOf(rule, source.namespace), name } };
}

/**
 * `kube-system` and the like take part only where they are written out (NSS-03): with exports.all, without
 * exports.namespaces and with sameNamespace the namespace would be the peer's to say.
 */
function isReachedByWildcard({ spec }: AnyImportRule, namespace: string): boolean {
  return isRestrictedNamespace(namespace) && !(spec.exports.namespaces ?? []).includes(namespace);
}

function skip(reason: SkipReason, message: string): Placement {
  return { skip: { reason, message } };
}
