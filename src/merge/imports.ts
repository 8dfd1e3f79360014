/**
 * ClusterLink's Imports → imports like those of rules. Pure.
 *
 *   Imports ─ readable? ─ target port claimed once? ─ name free? ─ within limits? ─▶ one port, sources in listed order
 *                └──────────────┴────────────────────────┴─────────────┴───────────▶ conditions, of each of them
 *
 * An Import that is there has its name, usable or not: no rule may put other exports behind it meanwhile. Only a ServiceImport
 * that somebody else made goes before it, as it does before rules: we write into it at most its addresses.
 */
import type { ConditionDraft } from '../api/conditions.ts';
import { findCondition } from '../api/conditions.ts';
import type { IImport } from '../api/generated/Import.ts';
import type { IImportBinding } from '../api/generated/ImportBinding.ts';
import { describeEarlyDataProblem, isEarlyDataOff } from '../api/early-data.ts';
import { API_SERVER, IMPORT_MERGE_LABEL, isLabel } from '../api/names.ts';
import { compareText, formatKey, keyOf, type ObjectKey } from '../api/object.ts';
import type { SourceKey } from '../api/record.ts';
import { isPort, PORT_MAX } from '../api/validation/addresses.ts';
import { LB_SCHEMES } from '../api/validation/import.ts';
import { quote } from '../api/validation/quote.ts';
import type { PeerCandidates } from './candidate.ts';
import { indexPeers, resolveSources, type ResolvedSources } from './import-sources.ts';
import { IMPORTS_MAX, IMPORTS_PER_NAMESPACE_MAX, MESSAGE_ITEMS_MAX } from './limits.ts';
import type { ConstituentVerdict, ImportStatus, MergedImport } from './types.ts';

export interface ImportsInput {
  readonly imports: readonly IImport[];
  readonly index: readonly PeerCandidates[];
  /** `namespace/name` → its binding: names in use stay when there are too many. */
  readonly previousByName: ReadonlyMap<string, IImportBinding>;
  /** Absent: every namespace is there. */
  readonly namespaces: ReadonlySet<string> | undefined;
  /** Whether a ServiceImport that is not ours has the name. */
  readonly isRequested: (name: string) => boolean;
}

export interface ImportsResult {
  readonly merged: readonly MergedImport[];
  /** That each export is used: an Import takes what there is, and nobody disagrees. */
  readonly verdicts: readonly ConstituentVerdict[];
  /** `namespace/name` of all that are there: no rule gets these. */
  readonly taken: ReadonlySet<string>;
  readonly statuses: readonly ImportStatus[];
}

/** Why nothing is made of an Import. */
type Refusal = NonNullable<ImportStatus['refusal']>;

interface Claimed {
  readonly object: IImport;
  readonly key: ObjectKey;
  readonly name: string;
  /** What stands in it makes no import. */
  readonly invalid: Refusal | undefined;
}

const SCHEMES: ReadonlyMap<string, MergedImport['loadBalancing']['scheme']> = new Map([
  ['round-robin', 'RoundRobin'],
  ['random', 'Random'],
  ['static', 'Static'],
]);

export function mergeImports(input: ImportsInput): ImportsResult {
  const claimed = readImports(input);
  const beyondLimits = findBeyondLimits(claimed, input.previousByName);
  // Who may have no more imports has no more numbers either: a namespace could else take all of them from the others.
  const lostPorts = findLostPorts(claimed.filter(({ name }) => !beyondLimits.has(name)));
  const peers = indexPeers(input.index);
  const results = claimed.map((each) => {
    const lostPort = lostPorts.get(each.name);
    const refusal = each.invalid ?? lostPort ?? findTaken(each, input) ?? beyondLimits.get(each.name);
    const sources = resolveSources(each.object, peers);
    const status: ImportStatus = {
      key: each.key,
      conditions: [
        describeValidity(each),
        describeTargetPort(each.object, each.invalid ?? lostPort ?? beyondLimits.get(each.name)),
        describeSources(sources),
      ],
      ...(refusal === undefined ? {} : { refusal }),
    };
    if (refusal !== undefined) return { status, merged: undefined, verdicts: [] };
    return {
      status,
      merged: toMerged(each, sources),
      verdicts: sources.told.map((source) => toVerdict(each.key, source)),
    };
  });
  return {
    merged: results.flatMap(({ merged }) => merged ?? []),
    verdicts: results.flatMap(({ verdicts }) => verdicts),
    taken: new Set(claimed.map(({ name }) => name).filter((name) => !input.isRequested(name))),
    statuses: results.map(({ status }) => status),
  };
}

/** Whether somebody wrote it as an Import: no ServiceImport goes with it. */
export function isWritten({ owner }: Pick<MergedImport, 'owner'>): boolean {
  return owner.kind === 'Import';
}

/** Those that are there and stay, in a namespace that is there and stays. */
function readImports({ imports, namespaces }: ImportsInput): Claimed[] {
  return imports
    .filter(({ metadata }) => metadata?.deletionTimestamp === undefined)
    .map((object) => ({ object, key: keyOf(object) }))
    .filter(({ key }) => namespaces?.has(key.namespace) !== false)
    .map(({ object, key }) => ({ object, key, name: formatKey(key), invalid: findInvalid(object, key) }))
    .sort((a, b) => compareKeys(a.key, b.key));
}

/** What ClusterLink's own CRD lets through: it bounds no number, and a name may have dots. */
function findInvalid({ metadata, spec }: IImport, key: ObjectKey): Refusal | undefined {
  const invalid = (message: string): Refusal => ({ reason: 'InvalidImport', message });
  const earlyData = describeEarlyDataProblem(metadata);
  if (earlyData !== undefined) return invalid(earlyData);
  if (!isLabel(key.name)) {
    return invalid(
      'metadata.name: must be an RFC 1123 label, since a Service gets this name. Fix: choose another name.',
    );
  }
  if (!isPort(spec.port)) {
    return invalid(`spec.port: must be between 1 and ${PORT_MAX}, is ${quote(spec.port)}. Fix: change the number.`);
  }
  const { targetPort } = spec;
  if (targetPort === undefined || targetPort === 0 || isPort(targetPort)) return undefined;
  return invalid(
    `spec.targetPort: must be between 1 and ${PORT_MAX}, is ${quote(targetPort)}. Fix: change it, or delete the field.`,
  );
}

/** By name: those whose explicit target port another Import has. The one that had it keeps it, else the older one. */
function findLostPorts(claimed: readonly Claimed[]): Map<string, Refusal> {
  const asking = claimed.filter(({ object, invalid }) => invalid === undefined && (object.spec.targetPort ?? 0) !== 0);
  const lost = new Map<string, Refusal>();
  for (const [targetPort, rivals] of Map.groupBy(asking, ({ object }) => object.spec.targetPort)) {
    const [winner, ...others] = [...rivals].sort(
      (a, b) => rankOf(a.object) - rankOf(b.object) || bornMs(a.object) - bornMs(b.object) || compareKeys(a.key, b.key),
    );
    for (const { name } of others) {
      const message = `spec.targetPort: Import ${winner?.name ?? ''} has ${targetPort}. Fix: choose another number, or delete the field.`;
      lost.set(name, { reason: 'TargetPortTaken', message });
    }
  }
  return lost;
}

/** 0: it was told that it has the port, as its spec stands now. */
function rankOf({ metadata, status }: IImport): number {
  const told = findCondition(status?.conditions, 'ImportTargetPortValid');
  return told?.status === 'True' && told.observedGeneration === (metadata?.generation ?? 1) ? 0 : 1;
}

function bornMs({ metadata }: IImport): number {
  const ms = Date.parse(metadata?.creationTimestamp ?? '');
  return Number.isNaN(ms) ? Number.MAX_SAFE_INTEGER : ms;
}

function findTaken({ name }: Claimed, { isRequested }: ImportsInput): Refusal | undefined {
  if (name === API_SERVER) {
    // With the merge label the whole cluster's way to its API server would lead to gateways.
    const message = `Service ${name} is the way to the API server. Fix: give this Import another name.`;
    return { reason: 'NameTaken', message };
  }
  if (!isRequested(name)) return undefined;
  const message = `There is a ServiceImport ${name} that is not ours. Fix: delete it, or give this Import another name.`;
  return { reason: 'NameTaken', message };
}

/** The people of a namespace ask for these, as by rules of theirs: the same bound holds for both together. */
function findBeyondLimits(
  claimed: readonly Claimed[],
  previousByName: ReadonlyMap<string, IImportBinding>,
): Map<string, Refusal> {
  const rank = ({ name }: Claimed): number => (previousByName.has(name) ? 0 : 1);
  const counts = new Map<string, number>();
  let total = 0;
  const beyond = new Map<string, Refusal>();
  for (const each of [...claimed].sort((a, b) => rank(a) - rank(b) || compareKeys(a.key, b.key))) {
    const { namespace } = each.key;
    const count = (counts.get(namespace) ?? 0) + 1;
    const bound =
      count > IMPORTS_PER_NAMESPACE_MAX
        ? `${IMPORTS_PER_NAMESPACE_MAX} that the people of one namespace can ask for`
        : `${IMPORTS_MAX} that a peer can have`;
    if (count > IMPORTS_PER_NAMESPACE_MAX || total >= IMPORTS_MAX) {
      const message = `It would be one import more than the ${bound}. Fix: delete others.`;
      beyond.set(each.name, { reason: 'LimitReached', message });
      continue;
    }
    counts.set(namespace, count);
    total++;
  }
  return beyond;
}

/** One port without a name; what it is called at a source is that source's to say. */
function toMerged({ object: { metadata, spec }, key }: Claimed, { sources }: ResolvedSources): MergedImport {
  const labels = metadata?.labels ?? {};
  const joins = labels[IMPORT_MERGE_LABEL] === 'true';
  return {
    key,
    owner: { kind: 'Import', ...key },
    type: 'ClusterSetIP',
    ports: [{ name: '', protocol: 'TCP', port: spec.port }],
    ipFamilies: ['IPv4'],
    sources,
    sessionAffinity: 'None',
    internalTrafficPolicy: 'Cluster',
    // In ClusterLink self is a source like any other: the order is the user's.
    loadBalancing: { scheme: SCHEMES.get(spec.lbScheme ?? '') ?? 'RoundRobin', localFirst: false },
    labels: { ...labels },
    annotations: {},
    ...(isEarlyDataOff(metadata) ? { earlyData: 'Off' } : {}),
    ...(joins ? { joinsService: true } : { service: true }),
  };
}

function toVerdict(key: ObjectKey, source: SourceKey): ConstituentVerdict {
  return { source, import: key, reasons: [], loses: false, message: '' };
}

/** `Valid`: a scheme that ClusterLink's controller would crash on is said, and harmless. */
function describeValidity({ object: { spec }, invalid }: Claimed): ConditionDraft {
  if (invalid !== undefined) return { type: 'Valid', status: 'False', ...invalid };
  const { lbScheme = '' } = spec;
  if (lbScheme === '' || SCHEMES.has(lbScheme)) return { type: 'Valid', status: 'True', reason: 'Valid', message: '' };
  const message = `spec.lbScheme: ${quote(lbScheme)} is none of ${LB_SCHEMES.join(', ')}; round-robin is used. Fix: write one of these.`;
  return { type: 'Valid', status: 'True', reason: 'UnknownScheme', message };
}

/** ClusterLink's type and reasons. The number is kept as a claim: where gateways listen is not the user's to say here. */
function describeTargetPort({ spec }: IImport, problem: Refusal | undefined): ConditionDraft {
  const type = 'ImportTargetPortValid';
  if (problem !== undefined) return { type, status: 'False', reason: 'Error', message: problem.message };
  const { targetPort = 0 } = spec;
  const message =
    targetPort === 0
      ? ''
      : `No other Import may have ${targetPort}. Gateways listen on a port of their own range instead: the binding says which.`;
  return { type, status: 'True', reason: 'Leased', message };
}

function describeSources({ problems }: ResolvedSources): ConditionDraft {
  const [first] = problems;
  const type = 'SourcesResolved';
  if (first === undefined) return { type, status: 'True', reason: 'Resolved', message: '' };
  const listed = problems.slice(0, MESSAGE_ITEMS_MAX).map(({ message }) => message);
  const rest = problems.length - listed.length;
  const message = [...listed, ...(rest > 0 ? [`And ${rest} more.`] : [])].join(' ');
  return { type, status: 'False', reason: first.reason, message };
}

function compareKeys(a: ObjectKey, b: ObjectKey): number {
  return compareText(a.namespace, b.namespace) || compareText(a.name, b.name);
}
