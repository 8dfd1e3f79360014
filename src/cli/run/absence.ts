/** Why there is no import of a name: what `explain` says of rules, of what peers offer, and of names that are nearly right. */
import { findCondition } from '../../api/conditions.ts';
import { ANNOTATIONS } from '../../api/names.ts';
import { compareText, describeObject, formatKey, type ObjectKey } from '../../api/object.ts';
import { REASONS } from '../../api/reasons.ts';
import { fixSession } from '../../gateway/explain-session.ts';
import { nameStore, writeCommand, type Hop } from '../../gateway/hops.ts';
import type { PeerObservation } from '../../gateway/messages.ts';
import { findWanted, type Wanted } from '../../merge/naming.ts';
import { nameOf } from '../../merge/placement.ts';
import { describeOwner, namespaceOf, ownerOf, selectsPeer } from '../../merge/rule.ts';
import type { AnyImportRule } from '../../merge/types.ts';
import { closestWord } from '../../runtime/did-you-mean.ts';
import type { Problem } from '../../store/directory/manifest-types.ts';
import type { ReadingsOf } from './reading.ts';

/** What it is told by. */
export const ABSENCE_KINDS = [
  'ClusterImportRule',
  'Import',
  'Export',
  'ImportBinding',
  'ImportRule',
  'Peer',
  'PeerRecords',
  'ServiceExport',
] as const;

export interface AbsenceInput {
  readonly self: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
  readonly store: string;
  readonly caches: ReadingsOf<(typeof ABSENCE_KINDS)[number]>;
  readonly peer: (name: string) => PeerObservation | undefined;
  /** Manifests that are not in force as they stand. */
  problems(): readonly Pick<Problem, 'file' | 'line' | 'object' | 'message' | 'fix'>[];
}

/** A rule under which the name could be had. */
interface Claim {
  readonly rule: AnyImportRule;
  readonly wanted: Wanted;
  readonly subject: string;
}

/** Names that a message lists: enough to see what is there. */
const NAMES_LISTED_MAX = 5;

/** The hop that fails. */
export function explainAbsence(input: AbsenceInput, key: ObjectKey): Hop {
  const claims = claimsOf(input, key);
  const explicit = claims.filter(({ wanted }) => wanted.isExplicit);
  return (
    findUnmade(input, key) ??
    findSkip(input, key) ??
    findFault(input, key, explicit) ??
    findMisspelling(input, key) ??
    findFault(input, key, claims) ??
    findOtherNamespace(input, key) ??
    findBrokenRule(input) ??
    explainNoImport(input, key)
  );
}

function rulesOf({ caches }: AbsenceInput): AnyImportRule[] {
  return [...caches.ClusterImportRule.list(), ...caches.ImportRule.list()];
}

function claimsOf(input: AbsenceInput, key: ObjectKey): Claim[] {
  const { caches, self } = input;
  const known = [
    { name: self.name, labels: self.labels },
    ...caches.Peer.list().map(({ metadata }) => ({ name: metadata?.name ?? '', labels: metadata?.labels ?? {} })),
  ];
  return rulesOf(input).flatMap((rule) => {
    const selected = known.filter((peer) => selectsPeer(rule, { ...peer, createdAt: '' })).map(({ name }) => name);
    const wanted = findWanted(rule, key, [...new Set([...selected, ...(rule.spec.peers.names ?? [])])]);
    return wanted === undefined ? [] : [{ rule, wanted, subject: describeOwner(ownerOf(rule)) }];
  });
}

/** Somebody wrote an Import of this name, and nothing was made of it. */
function findUnmade({ caches }: AbsenceInput, key: ObjectKey): Hop | undefined {
  const object = caches.Import.get(key);
  if (object === undefined) return undefined;
  const valid = findCondition(object.status?.conditions, 'ImportServiceValid');
  const ready = findCondition(object.status?.conditions, 'Ready');
  const [message = '', fix = 'ask again in a moment'] = (valid?.message || 'is on its way').split(' Fix: ');
  const code = ready?.reason ?? REASONS.NoUsableSource;
  return { hop: 'import', ok: false, subject: describeObject(object), message, code, fix };
}

/** A rule has refused the export: that stands in its status. */
function findSkip(input: AbsenceInput, key: ObjectKey): Hop | undefined {
  for (const rule of rulesOf(input)) {
    const skipped = rule.status?.skipped?.find(({ source }) => wouldBe(rule, source, key));
    if (skipped === undefined) continue;
    const { source, reason, message: text = '' } = skipped;
    const [message = '', fix = 'see "Exports that rules skip" in docs/ERRORS.md'] = text.split(' Fix: ');
    return ruleFault(describeOwner(ownerOf(rule)), { message: `skips ${source}: ${message}`, code: reason, fix });
  }
  return undefined;
}

function ruleFault(subject: string, fault: Pick<Hop, 'message' | 'code' | 'fix'>): Hop {
  return { hop: 'rule', ok: false, subject, ...fault };
}

/** What keeps these rules from making the import: they themselves, or else their sources. */
function findFault(input: AbsenceInput, key: ObjectKey, claims: readonly Claim[]): Hop | undefined {
  for (const { rule, subject } of claims) {
    const valid = findCondition(rule.status?.conditions, 'Valid');
    if (valid?.status === 'False') {
      const fix = 'correct what the message names in the rule';
      return ruleFault(subject, { message: `imports nothing: ${valid.message}`, code: valid.reason, fix });
    }
    if (rule.spec.mode === 'Requested') {
      const message = `has mode Requested, and no ServiceImport ${formatKey(key)} asks`;
      const fix = `declare a ServiceImport ${formatKey(key)}, or give the rule mode Always`;
      return ruleFault(subject, { message, code: REASONS.ImportDeleted, fix });
    }
  }
  return findSourceFault(input, claims);
}

/** @param source - `peer/namespace/name`. A name that is too long or no label is nobody's: then its beginning counts. */
function wouldBe(rule: AnyImportRule, source: string, key: ObjectKey): boolean {
  const [peer = '', namespace = '', name = ''] = source.split('/');
  return (
    namespaceOf(rule, namespace) === key.namespace && [nameOf(rule, { peer, namespace, name }), name].includes(key.name)
  );
}

/** A rule would take it, if a peer offered it: the first thing that keeps one from doing so. */
function findSourceFault(input: AbsenceInput, claims: readonly Claim[]): Hop | undefined {
  const faults = claims.flatMap((claim) => peersOf(input, claim.rule).map((peer) => explainPeer(input, claim, peer)));
  // A peer that could be asked and offers nothing says more than one that is away.
  return faults.find(({ code }) => code === REASONS.NothingOffered) ?? faults[0] ?? claims.map(explainNoPeer)[0];
}

function explainNoPeer({ subject }: Claim): Hop {
  return {
    hop: 'source',
    ok: false,
    subject,
    message: 'selects no peer that there is',
    code: REASONS.PeerUnknown,
    fix: 'correct spec.peers of the rule, or the labels of the Peer objects',
  };
}

function peersOf({ caches, self }: AbsenceInput, rule: AnyImportRule): string[] {
  if (rule.spec.peers.names !== undefined) return [...rule.spec.peers.names];
  const peers = caches.Peer.list().map(({ metadata }) => ({
    name: metadata?.name ?? '',
    labels: metadata?.labels ?? {},
    createdAt: '',
  }));
  return [{ ...self, createdAt: '' }, ...peers].filter((peer) => selectsPeer(rule, peer)).map(({ name }) => name);
}

function explainPeer(input: AbsenceInput, { wanted, subject: rule }: Claim, peer: string): Hop {
  const { caches, self, store } = input;
  const subject = describeWanted(peer, wanted);
  if (peer === self.name) return explainOwn(input, wanted, subject);
  const object = caches.Peer.list().find(({ metadata }) => metadata?.name === peer);
  if (object === undefined) {
    const fix = `write a Peer object ${peer} into ${nameStore(store)}, or correct spec.peers of ${rule}`;
    const message = `${rule} names peer ${peer}, and there is no Peer object of that name`;
    return { hop: 'source', ok: false, subject, message, code: REASONS.PeerUnknown, fix };
  }
  const observation = input.peer(peer);
  const offered = offersOf(input, peer);
  if (observation?.version === undefined && offered.length === 0) {
    const reason = observation?.reason ?? REASONS.PeerUnreachable;
    const fix = fixSession(peer, { reason, gateways: object.spec.gateways });
    const message = `${observation?.message ?? 'No session was opened yet.'} It has never said what it offers.`;
    return { hop: 'session', ok: false, subject: peer, message, code: reason, fix };
  }
  if (observation?.form === 'clusterlink' && offered.length === 0) {
    const fix = `declare what it exports, as namespace/name:port, in the annotation ${ANNOTATIONS.exports} of the Peer object ${peer}`;
    const message = `${rule} would take it, and ${peer} speaks ClusterLink's form, which does not say what it exports.`;
    return { hop: 'source', ok: false, subject, message, code: REASONS.NothingOffered, fix };
  }
  const offers = offered.length === 0 ? 'It offers nothing to this peer.' : `It offers ${listNames(offered)}.`;
  const [name = 'NAME'] = wanted.names ?? [];
  const [namespace = 'NAMESPACE'] = wanted.namespaces ?? [];
  const fix =
    `correct spec.exports of ${rule}, or at ${peer}: see in "npx clusterlink-mcs status" that ${namespace}/${name} is exported and valid, then ` +
    `npx clusterlink-mcs allow --namespace ${namespace} --export ${namespace}/${name} --from-peer ${self.name}`;
  const message = `${rule} would take it, and ${peer} does not offer it to this peer. ${offers}`;
  return { hop: 'source', ok: false, subject, message, code: REASONS.NothingOffered, fix };
}

/** Of exports of this peer itself everything is known. */
function explainOwn({ caches, store }: AbsenceInput, wanted: Wanted, subject: string): Hop {
  const [name = 'NAME'] = wanted.names ?? [];
  // A ServiceExport counts before an Export of its name.
  const exported = [...caches.ServiceExport.list(), ...caches.Export.list()].find(
    ({ metadata }) => metadata?.name === name && (wanted.namespaces?.includes(metadata.namespace ?? '') ?? true),
  );
  const valid = findCondition(exported?.status?.conditions, exported?.kind === 'Export' ? 'ExportValid' : 'Valid');
  const [namespace = 'NAMESPACE'] = wanted.namespaces ?? [];
  if (exported === undefined || valid?.status !== 'False') {
    const fix = writeCommand(store, 'export', `${namespace}/${name}`);
    const message = 'this peer does not export it';
    return { hop: 'source', ok: false, subject, message, code: REASONS.NothingOffered, fix };
  }
  const fix = `correct the ${describeObject(exported)} or its Service`;
  return { hop: 'source', ok: false, subject, message: valid.message, code: valid.reason, fix };
}

function offersOf({ caches }: AbsenceInput, peer: string): string[] {
  return caches.PeerRecords.list()
    .filter(({ spec }) => spec.peer === peer)
    .flatMap(({ spec }) => spec.records.map(({ record }) => formatKey(record)))
    .sort(compareText);
}

function describeWanted(peer: string, { namespaces = ['*'], names = ['*'] }: Wanted): string {
  return `${peer}/${listNames(namespaces)}/${listNames(names)}`;
}

function findMisspelling({ caches }: AbsenceInput, { namespace, name }: ObjectKey): Hop | undefined {
  const imports = caches.ImportBinding.list().map(({ spec }) => spec.import);
  const names = imports.filter((other) => other.namespace === namespace).map((other) => other.name);
  const close = closestWord(name, names);
  if (close !== undefined) return explainMeant({ namespace, name }, { namespace, name: close });
  const namespaces = imports.filter((other) => other.name === name).map((other) => other.namespace);
  const closeNamespace = closestWord(namespace, namespaces);
  return closeNamespace === undefined
    ? undefined
    : explainMeant({ namespace, name }, { namespace: closeNamespace, name });
}

function findOtherNamespace({ caches }: AbsenceInput, key: ObjectKey): Hop | undefined {
  const other = caches.ImportBinding.list().find(({ spec }) => spec.import.name === key.name)?.spec.import;
  if (other !== undefined) return explainMeant(key, other);
  // As its owner calls it, which is no name here.
  const renamed = caches.ImportBinding.list().find(({ spec }) =>
    spec.sources.some(({ namespace, name }) => namespace === key.namespace && name === key.name),
  )?.spec.import;
  return renamed === undefined ? undefined : explainMeant(key, renamed);
}

function explainMeant(asked: ObjectKey, meant: ObjectKey): Hop {
  return {
    hop: 'name',
    ok: false,
    subject: formatKey(asked),
    message: 'there is no import of this name',
    code: REASONS.ImportDeleted,
    fix: `did you mean ${formatKey(meant)}? Its name is ${meant.name}.${meant.namespace}.svc and a zone of this peer`,
  };
}

/** A rule that is not there because its manifest is wrong: when no other would make the import, it may be this one. */
function findBrokenRule({ problems }: AbsenceInput): Hop | undefined {
  const broken = problems().find(({ object = '' }) => /^(?:Cluster)?ImportRule /.test(object));
  if (broken === undefined) return undefined;
  const message = `is not in force as it stands in ${broken.file}, line ${broken.line}: ${broken.message}`;
  return ruleFault(broken.object ?? broken.file, { message, code: 'ERR_INVALID_OBJECT', fix: broken.fix });
}

function explainNoImport({ caches, store }: AbsenceInput, key: ObjectKey): Hop {
  const object = formatKey(key);
  const imports = caches.ImportBinding.list()
    .map(({ spec }) => formatKey(spec.import))
    .sort(compareText);
  const present = imports.length === 0 ? 'nothing is imported here' : `here are ${listNames(imports)}`;
  return {
    hop: 'import',
    ok: false,
    subject: object,
    message: `there is no such import, and no rule that would make it; ${present}`,
    code: REASONS.ImportDeleted,
    fix: `${writeCommand(store, 'import', `NAMESPACE/NAME --from PEER --as ${object}`)}, and see "npx clusterlink-mcs get PeerRecords -o yaml" for what peers offer`,
  };
}

function listNames(names: readonly string[]): string {
  const rest = names.length - NAMES_LISTED_MAX;
  return `${names.slice(0, NAMES_LISTED_MAX).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}
