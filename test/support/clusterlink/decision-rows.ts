/** The decision examples of reference §4.6 as data: rows 1-24; the rest are about the wire or the store of policies. */
import { clientAttributes, exportAttributes } from './policy.ts';
import type { Attributes, PolicyObject } from './types.ts';
import type { Selector } from './selector.ts';

export interface DecisionRow {
  readonly row: string;
  readonly why: string;
  readonly policies: readonly PolicyObject[];
  readonly question: {
    /** The Import's on egress, the Export's on ingress. */
    readonly namespace: string;
    /** Undefined: the client is not known. */
    readonly from: Attributes | undefined;
    readonly to: Attributes;
  };
  /** What ClusterLink says. */
  readonly allowed: boolean;
}

type Items = readonly Selector[];

let policies = 0;

/** @param namespace - undefined: privileged. */
export function makePolicy(
  action: 'allow' | 'deny',
  namespace: string | undefined,
  {
    from = [{}],
    to = [{}],
    name = `p${policies++}`,
  }: { readonly from?: Items; readonly to?: Items; readonly name?: string } = {},
): PolicyObject {
  const items = (selectors: Items) =>
    selectors.map((workloadSelector) => ({ workloadSelector: structuredClone(workloadSelector) }));
  const spec = { action, from: items(from), to: items(to) } as PolicyObject['spec'];
  const apiVersion = 'clusterlink.net/v1alpha1';
  return namespace === undefined
    ? { apiVersion, kind: 'PrivilegedAccessPolicy', metadata: { name }, spec }
    : { apiVersion, kind: 'AccessPolicy', metadata: { name, namespace }, spec };
}

const SA = 'client.clusterlink.net/service-account';
const APP = 'client.clusterlink.net/labels.app';
const TEAM = 'client.clusterlink.net/labels.team';
const PEER = 'peer.clusterlink.net/name';
const REGION = 'peer.clusterlink.net/labels.region';
const EXPORT = 'export.clusterlink.net/name';
const TIER = 'export.clusterlink.net/labels.tier';

const is = (key: string, value: string): Selector => ({ matchLabels: { [key]: value } });
const has = (key: string, operator: string, ...values: string[]): Selector => ({
  matchExpressions: [{ key, operator, ...(values.length > 0 ? { values } : {}) }],
});

const CLIENT = clientAttributes({ namespace: 'web', serviceAccount: 'front', labels: { app: 'ui' } }, 'east', {
  region: 'us',
});
const WEST = { namespace: 'prod', name: 'cart-api', peer: 'west', peerLabels: { region: 'eu' } };
const TO = exportAttributes({ ...WEST, labels: { tier: 'gold' } });

const shop = { namespace: 'shop', from: CLIENT, to: TO };
const prod = { namespace: 'prod', from: CLIENT, to: TO };
const all = makePolicy('allow', 'shop');
const allProd = makePolicy('allow', 'prod');
const gold = { to: [is(TIER, 'gold')] };
const eu = { to: [is(REGION, 'eu')] };
const unlabelled = { ...shop, to: exportAttributes({ ...WEST, peerLabels: undefined, labels: { tier: 'gold' } }) };

function row(
  number: string,
  why: string,
  policies: readonly PolicyObject[],
  question: DecisionRow['question'],
  says: 'allow' | 'deny',
): DecisionRow {
  return { row: number, why, policies, question, allowed: says === 'allow' };
}

export const DECISION_ROWS: readonly DecisionRow[] = [
  row('1', 'no policy', [], shop, 'deny'),
  row('2', 'everything allowed in the namespace of the import', [all], shop, 'allow'),
  row('3', "the client's namespace does not count", [makePolicy('allow', 'web')], shop, 'deny'),
  row('4', 'deny before allow', [all, makePolicy('deny', 'shop', { to: [is(EXPORT, 'cart-api')] })], shop, 'deny'),
  row('5', 'privileged first', [makePolicy('allow', undefined), makePolicy('deny', 'shop')], shop, 'allow'),
  row(
    '6',
    'privileged deny before privileged allow',
    [makePolicy('allow', undefined), makePolicy('deny', undefined, { to: [is(PEER, 'west')] })],
    shop,
    'deny',
  ),
  row('7', 'the service account matches', [makePolicy('allow', 'shop', { from: [is(SA, 'front')] })], shop, 'allow'),
  row('8', 'another service account', [makePolicy('allow', 'shop', { from: [is(SA, 'back')] })], shop, 'deny'),
  row(
    '9',
    'NotIn with its own value',
    [all, makePolicy('deny', 'shop', { from: [has(APP, 'NotIn', 'ui')] })],
    shop,
    'allow',
  ),
  row(
    '10',
    'NotIn of an absent key',
    [all, makePolicy('deny', 'shop', { from: [has(TEAM, 'NotIn', 'x')] })],
    shop,
    'deny',
  ),
  row('11', 'DoesNotExist', [all, makePolicy('deny', 'shop', { from: [has(TEAM, 'DoesNotExist')] })], shop, 'deny'),
  row(
    '12',
    'Exists and In',
    [makePolicy('allow', 'shop', { from: [has(APP, 'Exists')], to: [has(EXPORT, 'In', 'cart-api', 'other')] })],
    shop,
    'allow',
  ),
  row(
    '13',
    'items are alternatives',
    [makePolicy('allow', 'shop', { from: [is(SA, 'back'), is(APP, 'ui')] })],
    shop,
    'allow',
  ),
  row(
    '14',
    'requirements of one item hold together',
    [makePolicy('allow', 'shop', { from: [{ matchLabels: { [SA]: 'front', [APP]: 'api' } }] })],
    shop,
    'deny',
  ),
  row('15', 'client unknown, nothing asks', [all], { ...shop, from: undefined }, 'allow'),
  row(
    '16',
    'client unknown, an unrelated namespace asks',
    [all, makePolicy('allow', 'dev', { from: [is(SA, 'x')] })],
    { ...shop, from: undefined },
    'deny',
  ),
  row('17', 'label of the other peer', [makePolicy('allow', 'shop', eu)], shop, 'allow'),
  row('18', 'unreachable: its labels are gone', [makePolicy('allow', 'shop', eu)], unlabelled, 'deny'),
  row('18', 'and a deny on them fails open', [all, makePolicy('deny', 'shop', eu)], unlabelled, 'allow'),
  row('19', 'null attributes, nothing asks', [allProd], { ...prod, from: undefined }, 'allow'),
  row(
    '20',
    'null attributes, a deny asks',
    [allProd, makePolicy('deny', undefined, { from: [is(PEER, 'north')] })],
    { ...prod, from: undefined },
    'deny',
  ),
  row('21', 'denied peer', [allProd, makePolicy('deny', 'prod', { from: [is(PEER, 'east')] })], prod, 'deny'),
  row(
    '22',
    'denied peer that claims another name',
    [allProd, makePolicy('deny', 'prod', { from: [is(PEER, 'east')] })],
    { ...prod, from: { ...CLIENT, [PEER]: 'north' } },
    'allow',
  ),
  row('23', "not the export's namespace", [all], prod, 'deny'),
  row('24', 'the label of the import', [makePolicy('allow', 'shop', gold)], shop, 'allow'),
  row(
    '24',
    'which the export has not',
    [makePolicy('allow', 'prod', gold)],
    { ...prod, to: exportAttributes({ ...WEST, labels: undefined }) },
    'deny',
  ),
];
