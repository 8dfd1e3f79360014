/** Access policies (ClusterLink's, `reference/clusterlink.md` §2.4 and §4.2): whole, since a decision relies on it alone. */
import { ATTRIBUTES } from '../names.ts';
import { askWhether, didYouMean } from './did-you-mean.ts';
import { below, type Finding } from './finding.ts';
import { isMap, listAt, mapAt, textAt } from './json.ts';
import { keyProblem } from './labels.ts';
import { POLICY_ITEMS_MAX } from './limits.ts';
import { quote } from './quote.ts';
import { notA, selectorProblems, unknownFields } from './selector.ts';

const ACTIONS = ['allow', 'deny'];
const { clientLabelPrefix, peerLabelPrefix, exportLabelPrefix } = ATTRIBUTES;
const CLIENT_KEYS = [ATTRIBUTES.clientNamespace, ATTRIBUTES.clientServiceAccount, clientLabelPrefix];
const EXPORT_KEYS = [ATTRIBUTES.exportName, ATTRIBUTES.exportNamespace, exportLabelPrefix];
const PEER_KEYS = [ATTRIBUTES.peerName, peerLabelPrefix];
/** Which attributes each end of a connection has; those that end in '.' are prefixes. */
const KEYS = { from: [...CLIENT_KEYS, ...PEER_KEYS], to: [...EXPORT_KEYS, ...PEER_KEYS] };

/**
 * Everything that is wrong with the spec of a policy of any tier; paths begin below `spec`. When it is empty, the spec has the
 * type that it claims to have, and every selector means what it says.
 *
 * A policy with problems is in force all the same: an allow matches nothing, a deny its whole scope.
 */
export function policyProblems(spec: unknown): Finding[] {
  if (!isMap(spec)) return [notA('map', spec)];
  return [
    ...unknownFields(spec, ['action', 'from', 'to']),
    ...actionProblems(spec['action']),
    ...below(['from'], itemsProblems(spec['from'], 'client')),
    ...below(['to'], itemsProblems(spec['to'], 'service')),
  ];
}

/** Keys that no attribute has: legal, and surely not what was meant. */
export function policyWarnings(spec: unknown): Finding[] {
  return (['from', 'to'] as const).flatMap((side) =>
    listAt(spec, side).flatMap((item, index) =>
      below([side, String(index), 'workloadSelector'], strangeKeys(mapAt(item, 'workloadSelector'), side)),
    ),
  );
}

function actionProblems(action: unknown): Finding[] {
  if (typeof action === 'string' && ACTIONS.includes(action)) return [];
  const meant = typeof action === 'string' ? didYouMean(action, ACTIONS) : undefined;
  const message = `must be "allow" or "deny", is ${quote(action)}${askWhether(meant)}`;
  return [{ path: ['action'], message, fix: 'Write allow or deny, in lower case.' }];
}

function itemsProblems(items: unknown, what: 'client' | 'service'): Finding[] {
  if (!Array.isArray(items)) return [notA('list', items)];
  if (items.length === 0) {
    const fix = `Use "- workloadSelector: {}" for every ${what}.`;
    return [{ path: [], message: `selects no ${what} at all`, fix }];
  }
  if (items.length > POLICY_ITEMS_MAX) {
    const message = `must have at most ${POLICY_ITEMS_MAX} items, has ${items.length}`;
    return [{ path: [], message, fix: 'Split it into several policies.' }];
  }
  return items.flatMap((item: unknown, index) => below([String(index)], itemProblems(item)));
}

function itemProblems(item: unknown): Finding[] {
  if (!isMap(item)) return [notA('map', item)];
  const findings = unknownFields(item, ['workloadSelector', 'workloadSets']);
  if (Object.hasOwn(item, 'workloadSets')) {
    const fix = 'Use workloadSelector, with labels of the workloads.';
    findings.push({ path: ['workloadSets'], message: 'sets of workloads are not supported', fix });
  } else if (!Object.hasOwn(item, 'workloadSelector')) {
    findings.push({ path: ['workloadSelector'], message: 'is missing', fix: 'Add it; {} selects everything.' });
  }
  if (!Object.hasOwn(item, 'workloadSelector')) return findings;
  return [...findings, ...below(['workloadSelector'], selectorProblems(item['workloadSelector'], attributeKeyProblem))];
}

/** ClusterLink puts a label's whole key behind its prefix, so a label that has a prefix itself cannot be selected (§4.2). */
function attributeKeyProblem(key: string): Omit<Finding, 'path'> | undefined {
  const problem = keyProblem(key);
  const prefix = [clientLabelPrefix, peerLabelPrefix, exportLabelPrefix].find((known) => key.startsWith(known));
  if (problem === undefined || prefix === undefined || !key.slice(prefix.length).includes('/')) return problem;
  return {
    message: `key ${quote(key)} is not legal: labels with a prefix of their own cannot be selected`,
    fix: `Select by a label without a prefix, for example ${prefix}app.`,
  };
}

function strangeKeys(selector: unknown, side: 'from' | 'to'): Finding[] {
  const labels = Object.keys(mapAt(selector, 'matchLabels')).map((key) => ({ key, path: ['matchLabels', key] }));
  const expressions = listAt(selector, 'matchExpressions').map((expression, index) => ({
    key: textAt(expression, 'key') ?? '',
    path: ['matchExpressions', String(index), 'key'],
  }));
  return [...labels, ...expressions].flatMap(({ key, path }) => {
    if (keyProblem(key) !== undefined || isKnownKey(key, KEYS[side])) return [];
    const other = side === 'from' ? 'to' : 'from';
    const meant = didYouMean(key, KEYS[side]);
    const end = side === 'from' ? 'client' : 'service';
    const fix = isKnownKey(key, KEYS[other])
      ? `Select on it in spec.${other}.`
      : `Use ${meant ?? `an attribute such as ${KEYS[side].slice(0, 3).join(', ')}NAME`}.`;
    return [{ path, message: `no ${end} has an attribute ${quote(key)}${askWhether(meant)}`, fix }];
  });
}

function isKnownKey(key: string, known: readonly string[]): boolean {
  return known.some((entry) => (entry.endsWith('.') ? key.startsWith(entry) && key !== entry : key === entry));
}
