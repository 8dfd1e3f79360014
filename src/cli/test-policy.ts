/** `test policy`: one question, answered by the functions that decide for connections, and how they came to it. Pure. */
import { AppError } from '../api/errors.ts';
import { ANNOTATIONS } from '../api/names.ts';
import { formatKey } from '../api/object.ts';
import type { Reason } from '../api/reasons.ts';
import { formatSource } from '../api/record.ts';
import { isUnidentified, type ClientIdentity } from '../gateway/client-identity.ts';
import {
  decideEgress,
  decideIngress,
  decideOwnIngress,
  isOfferedTo,
  toEgressQuestion,
  toIngressQuestion,
  type Admission,
  type Self,
} from '../gateway/decisions.ts';
import type { ExportRoute, ImportRoute, PeerRoute, RouteSource } from '../gateway/messages.ts';
import type { Routes } from '../gateway/routes.ts';
import { traceDecision, type PolicyTrace } from '../policy/trace.ts';
import type { Attributes, Question } from '../policy/types.ts';
import type { EgressTest, IngressTest, PolicyQuestion } from './test-policy-question.ts';

export interface PolicyTestReport {
  readonly direction: PolicyQuestion['direction'];
  /** For an import of several sources: one of them at least. */
  readonly allowed: boolean;
  /** `namespace/name` of the import or export. */
  readonly object: string;
  /** One for each source; for an export the only one. */
  readonly answers: readonly PolicyTestAnswer[];
  /** What was taken as given, or not believed. */
  readonly notes: readonly string[];
}

export interface PolicyTestAnswer {
  /** `peer/namespace/name` of the source, or of the export itself. */
  readonly service: string;
  readonly allowed: boolean;
  readonly reason?: Reason;
  readonly message: string;
  readonly fix?: string;
  /** What policies were asked, and said; absent when it was decided before any was asked. */
  readonly asked?: PolicyTrace & { readonly from: Attributes; readonly to: Attributes; readonly namespace: string };
}

/** Where the question is asked: in a running peer, or in a folder of manifests. */
export interface TestWorld {
  readonly self: Self;
  readonly routes: Routes;
  /** Whether what is missing is taken as there: manifests need not hold everything that a peer knows. */
  readonly missing: 'assumed' | 'refused';
}

/** @throws {AppError} `ERR_USAGE` for an import, or a source of it, that is not there to be asked about. */
export function testPolicy({ world, question, client }: PolicyTest): PolicyTestReport {
  const notes: string[] = [];
  return question.direction === 'egress'
    ? testEgress({ world, question, client, notes })
    : testIngress({ world, question, client, notes });
}

export interface PolicyTest<T = PolicyQuestion> {
  readonly world: TestWorld;
  readonly question: T;
  readonly client: ClientIdentity;
}

/** `notes` grow while it is answered. */
interface Answering<T> extends PolicyTest<T> {
  readonly notes: string[];
}

function testEgress(answering: Answering<EgressTest>): PolicyTestReport {
  const { world, question, client, notes } = answering;
  const { self } = world;
  const found = world.routes.imports.get(formatKey(question.import)) ?? missingImport(answering);
  const route = { ...found, labels: question.importLabels ?? found.labels };
  const sources = sourcesOf(answering, route);
  const answers = sources.map((source) => {
    const routes = source.peer === self.name ? world.routes : withPeer(answering, source.peer);
    const asked = { routes, self, client, route, source };
    return {
      service: formatSource(source),
      ...toAnswer(decideEgress(asked)),
      asked: toAsked(routes, toEgressQuestion(asked)),
    };
  });
  if (isUnidentified(client)) notes.push('No --client: everything about the workload is unknown.');
  const allowed = answers.some((answer) => answer.allowed);
  return { direction: 'egress', allowed, object: formatKey(question.import), answers, notes };
}

function testIngress(answering: Answering<IngressTest>): PolicyTestReport {
  const { world, question, client, notes } = answering;
  const { self } = world;
  const { peer, export: key } = question;
  const isSelf = peer === self.name;
  const withItsPeer = isSelf ? world.routes : withPeer(answering, peer);
  const route = exportOf(answering);
  const exports = new Map(withItsPeer.exports);
  if (route !== undefined) exports.set(formatKey(key), route);
  const routes = { ...withItsPeer, exports };
  const asserted = isUnidentified(client) ? null : client;
  const admission = isSelf
    ? decideOwnIngress({ routes, self, client, export: key })
    : decideIngress({ routes, self, peer, asserted, export: key });
  const peerRoute = routes.peers.get(peer);
  // Whoever is refused before that has asked no policy.
  const isAsked = route !== undefined && (isSelf || peerRoute !== undefined) && isOfferedTo(route, peer);
  if (asserted === null) notes.push('No --client: everything about the workload is unknown.');
  else if (peerRoute !== undefined) notes.push(...notBelieved(peerRoute));
  const answer: PolicyTestAnswer = {
    service: formatSource({ peer: self.name, ...key }),
    ...toAnswer(admission),
    ...(isAsked ? { asked: toAsked(routes, toIngressQuestion({ routes, self, peer, asserted, route })) } : {}),
  };
  return { direction: 'ingress', allowed: answer.allowed, object: formatKey(key), answers: [answer], notes };
}

function toAnswer(admission: Admission): Omit<PolicyTestAnswer, 'service' | 'asked'> {
  if (admission.allowed) return admission;
  const { allowed, reason, message, fix } = admission;
  return { allowed, reason, message, ...(fix === undefined ? {} : { fix }) };
}

function toAsked({ policies }: Routes, question: Question): NonNullable<PolicyTestAnswer['asked']> {
  return { ...traceDecision(policies, question), ...question };
}

function missingImport({ world: { missing, routes }, question, notes }: Answering<EgressTest>): ImportRoute {
  const { import: key } = question;
  if (missing === 'refused') throw importNotHere(formatKey(key), routes);
  notes.push(`Import ${formatKey(key)} is taken as there, with the labels of --import-label and no others.`);
  return { key, ips: [], ports: [], sources: [], labels: {}, localFirst: true };
}

function sourcesOf(
  { world: { missing }, question, notes }: Answering<EgressTest>,
  route: ImportRoute,
): readonly RouteSource[] {
  const { source } = question;
  if (source === undefined) {
    if (route.sources.length > 0) return route.sources;
    const what =
      missing === 'assumed' ? 'manifests do not say which exports back an import' : 'the import has none now';
    throw new AppError('ERR_USAGE', `--source: ${what}`, { fix: 'add --source PEER/NAMESPACE/NAME' });
  }
  const present = route.sources.find((candidate) => formatSource(candidate) === formatSource(source));
  if (present === undefined && missing === 'refused') {
    notes.push(`${formatSource(source)} does not back the import now: taken as if it did.`);
  }
  return [present ?? { ...source, ports: [], readyEndpoints: 1 }];
}

/** The routes with a peer as it is asked about: its labels are those of its Peer object, or those that were given. */
function withPeer({ world: { routes, missing }, question, notes }: Answering<PolicyQuestion>, name: string): Routes {
  const { peerLabels: labels } = question;
  const present = routes.peers.get(name);
  if (present === undefined && missing === 'refused') {
    notes.push(`There is no Peer object for ${name}: no connection comes so far that policies are asked.`);
    return routes;
  }
  if (present === undefined) {
    notes.push(`Peer ${name} is not in the manifests: taken as there, with the labels of --peer-label and no others.`);
  }
  const peer = present ?? { name, labels: {}, gateways: [], mayAssert: [] };
  return { ...routes, peers: new Map([...routes.peers, [name, { ...peer, labels: labels ?? peer.labels }]]) };
}

function exportOf({ world, question, notes }: Answering<IngressTest>): ExportRoute | undefined {
  const { missing, routes } = world;
  const { export: key, exportLabels } = question;
  const present = routes.exports.get(formatKey(key));
  if (present === undefined && missing === 'refused') return undefined;
  if (present === undefined) {
    notes.push(`Export ${formatKey(key)} is not in the manifests: taken as there, with the labels of --export-label.`);
  }
  const route = present ?? { ...key, uid: '', ports: [], labels: {} };
  return { ...route, labels: exportLabels ?? route.labels };
}

function notBelieved({ name, mayAssert }: PeerRoute): string[] {
  const unbelieved = (['namespace', 'service-account', 'labels'] as const).filter((word) => !mayAssert.includes(word));
  if (unbelieved.length === 0) return [];
  return [
    `What peer ${name} says of the workload is not believed, and unknown: ${unbelieved.join(', ')}. ` +
      `Its Peer object may grant it by annotation ${ANNOTATIONS.mayAssert}.`,
  ];
}

const NAMES_LISTED_MAX = 5;

function importNotHere(name: string, { imports }: Routes): AppError {
  const listed = [...imports.keys()].sort().slice(0, NAMES_LISTED_MAX).join(', ');
  const fix = listed === '' ? 'see "npx clusterlink-mcs status"' : `there are ${listed}`;
  return new AppError('ERR_USAGE', `--import: there is no ${name} here`, { fix });
}
