/**
 * One decision: PrivilegedAccessPolicy, then the namespace's AccessPolicy, then BaselineAccessPolicy, then no. In each tier
 * deny before allow.
 */
import type { CompiledPolicy, PolicySet, PolicyTier } from './compile.ts';
import { every, matchSelector, some, type Match } from './selector.ts';
import type { Decision, Question } from './types.ts';

/**
 * Whether a connection passes, and which policy said so. What is unknown counts against the connection: it matches in a deny
 * and does not match in an allow. So a yes holds whatever the unknown attributes turn out to be.
 */
export function decide(set: PolicySet, question: Question): Decision {
  return decideAloud({ set, question, onLook: () => undefined });
}

/** One policy that was looked at on the way to a decision, and what it said; the last one decides, if it does. */
export interface Look {
  readonly policy: CompiledPolicy;
  readonly action: 'allow' | 'deny';
  readonly said: Match;
}

/** {@link decide}, telling of every policy that it looks at. */
export function decideAloud(options: {
  readonly set: PolicySet;
  readonly question: Question;
  onLook(look: Look): void;
}): Decision {
  const { set, question, onLook } = options;
  const ask = (policy: CompiledPolicy, action: Look['action']): Match => {
    const said = matchPolicy(policy, question);
    onLook({ policy, action, said });
    return said;
  };
  for (const tier of tiersOf(set, question)) {
    const denied = tier.deny.find((policy) => ask(policy, 'deny') !== 'no-match');
    if (denied !== undefined) return { allowed: false, policy: denied.id };
    const allowed = tier.allow.find((policy) => ask(policy, 'allow') === 'match');
    if (allowed !== undefined) return { allowed: true, policy: allowed.id };
  }
  return { allowed: false };
}

/**
 * Whether a connection with more known about it could pass: false only if it is provably denied. Disclosure asks this
 * (DESIGN §3.3), so what is unknown counts for the connection: it matches in an allow and does not match in a deny.
 */
export function couldAdmit(set: PolicySet, question: Question): boolean {
  for (const tier of tiersOf(set, question)) {
    if (tier.deny.some((policy) => matchPolicy(policy, question) === 'match')) return false;
    if (tier.allow.some((policy) => matchPolicy(policy, question) !== 'no-match')) return true;
  }
  return false;
}

function tiersOf({ privileged, regular, baseline }: PolicySet, { namespace }: Question): PolicyTier[] {
  const own = Object.hasOwn(regular, namespace) ? regular[namespace] : undefined;
  return own === undefined ? [privileged, baseline] : [privileged, own, baseline];
}

function matchPolicy({ from, to }: CompiledPolicy, question: Question): Match {
  return every(
    [
      { selectors: from, attributes: question.from },
      { selectors: to, attributes: question.to },
    ],
    ({ selectors, attributes }) => some(selectors, (selector) => matchSelector(selector, attributes)),
  );
}
