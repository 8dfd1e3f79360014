/** One source of an import, from the egress decision to its endpoint: what is known here, then what the far side answers. */
import { REASONS } from '../api/reasons.ts';
import { formatSource } from '../api/record.ts';
import { explainUnidentified, isUnidentified } from './client-identity.ts';
import { decideEgress, type Denial } from './decisions.ts';
import { nameStore, writeCommand, type ExplainInput, type Hop } from './hops.ts';
import { fixSession } from './explain-session.ts';
import { EXPLAIN_DECISION_TIMEOUT_MS, EXPLAIN_TIMEOUT_MS } from './limits.ts';
import type { ImportRoute, ProbeOutcome, RouteSource } from './messages.ts';
import type { Routes } from './routes.ts';
import { portThere } from './source-choice.ts';

export interface SourceQuestion {
  readonly input: ExplainInput;
  readonly routes: Routes;
  readonly route: ImportRoute;
  readonly source: RouteSource;
  readonly port: number;
}

type Refusal = Extract<ProbeOutcome, { ok: false }>;

/** What a session says when it is gone or takes nothing: the answer of no owner. */
const OF_SESSION: ReadonlySet<string> = new Set([
  REASONS.PeerUnreachable,
  REASONS.SessionLost,
  REASONS.Drained,
  REASONS.PeerNameMismatch,
  REASONS.PeerRootMismatch,
  REASONS.Revoked,
  REASONS.CertExpired,
]);
/** What is said of the client by who decides, whenever it is asked. */
const OF_DECISION: ReadonlySet<string> = new Set([
  REASONS.IngressDenied,
  REASONS.ClientUnknown,
  REASONS.NothingOffered,
  REASONS.PeerUnknown,
]);

/** Up to the first hop that fails. */
export async function explainSource(question: SourceQuestion): Promise<Hop[]> {
  const known = explainHere(question);
  return known.at(-1)?.ok === true ? explainThere(question, known) : known;
}

/** What is known without asking anybody. */
function explainHere(question: SourceQuestion): Hop[] {
  const { input, routes, route, source, port } = question;
  const { self, client } = input;
  const subject = formatSource(source);
  const offers = `offers port ${port}; ${describeReady(source)} as last said${describeRank(source)}`;
  const offered: Hop = { hop: 'source', ok: true, subject, message: offers };
  const egress = decideEgress({ routes, self, client, route, source });
  const { message } = egress;
  if (!egress.allowed) {
    const fix = egress.fix ?? fixEgress(question, egress);
    return [offered, { hop: 'egress', ok: false, subject, message, code: egress.reason, fix }];
  }
  const hops: Hop[] = [offered, { hop: 'egress', ok: true, subject, message }];
  return source.peer === self.name ? hops : [...hops, explainSession(question)];
}

/** What the owner's gateway says: first whether it admits the client, then, by doing it, whether an endpoint can be reached. */
async function explainThere(question: SourceQuestion, here: readonly Hop[]): Promise<Hop[]> {
  let known = here;
  const { input, source } = question;
  const port = portThere(source, question.port);
  const subject = formatSource(source);
  const startedMs = performance.now();
  const decided = await input.probe({ source, port, mode: 'decide', timeoutMs: EXPLAIN_DECISION_TIMEOUT_MS });
  if (!decided.ok) {
    if (OF_SESSION.has(decided.reason)) return lostSession(question, known, decided);
    const fix = fixIngress(question, decided);
    return [...known, { hop: 'ingress', ok: false, subject, ...told(decided), fix }];
  }
  known = withHeartbeat(known, decided);
  const admitted: Hop = { hop: 'ingress', ok: true, subject, message: `${source.peer} admits it` };
  if (source.readyEndpoints === 0) return [...known, admitted, explainNotReady(question)];

  const timeoutMs = Math.max(1, EXPLAIN_TIMEOUT_MS - (performance.now() - startedMs));
  const dialled = await input.probe({ source, port, mode: 'dial', timeoutMs });
  if (!dialled.ok) return explainUndialled(question, dialled, [...known, admitted]);
  return [
    ...known,
    admitted,
    { hop: 'dial', ok: true, subject, message: `the gateway of ${source.peer} connected to an endpoint` },
    { hop: 'endpoint', ok: true, subject, message: `${describeReady(source)} as last said` },
  ];
}

function explainNotReady({ input, source }: SourceQuestion): Hop {
  const at = source.peer === input.self.name ? '' : ` at ${source.peer}`;
  return {
    hop: 'endpoint',
    ok: false,
    subject: formatSource(source),
    message: 'has no ready endpoint',
    code: REASONS.NoUsableSource,
    fix: `see that the Service ${source.namespace}/${source.name}${at} has endpoints that are ready`,
  };
}

/** @param before - the last one is the yes to the question before this. */
function explainUndialled(question: SourceQuestion, refusal: Refusal, before: readonly Hop[]): Hop[] {
  const { input, source } = question;
  const subject = formatSource(source);
  const isLate = OF_SESSION.has(refusal.reason);
  const isUp = source.peer === input.self.name || input.peer(source.peer)?.version !== undefined;
  if (isLate && !isUp) return lostSession(question, before, refusal);
  // The answer may have changed in between: of two words about one hop the later one counts.
  if (OF_DECISION.has(refusal.reason)) {
    const fix = fixIngress(question, refusal);
    return [...before.slice(0, -1), { hop: 'ingress', ok: false, subject, ...told(refusal), fix }];
  }
  const late = { code: REASONS.DialFailed, message: 'No endpoint was connected to in time.' };
  const fix = fixDial(question, refusal);
  return [...before, { hop: 'dial', ok: false, subject, ...(isLate ? late : told(refusal)), fix }];
}

function explainSession({ input, routes, source }: SourceQuestion): Hop {
  const observation = input.peer(source.peer);
  const subject = source.peer;
  if (observation?.version !== undefined) {
    const isOurs = observation.form === undefined;
    return {
      hop: 'session',
      ok: true,
      subject,
      message: isOurs ? `${observation.sessions} open` : observation.message,
    };
  }
  const code = observation === undefined ? REASONS.PeerUnknown : (observation.reason ?? REASONS.PeerUnreachable);
  const message = observation?.message ?? 'There is no Peer object of this name.';
  const fix = fixSession(source.peer, { reason: code, gateways: routes.peers.get(source.peer)?.gateways ?? [] });
  return { hop: 'session', ok: false, subject, message, code, fix };
}

/** It looked open until it was asked for something. */
function lostSession({ routes, source }: SourceQuestion, hops: readonly Hop[], refusal: Refusal): Hop[] {
  const { reason } = refusal;
  const fix = fixSession(source.peer, { reason, gateways: routes.peers.get(source.peer)?.gateways ?? [] });
  const before = hops.filter(({ hop }) => hop !== 'session' && hop !== 'ingress');
  return [...before, { hop: 'session', ok: false, subject: source.peer, ...told(refusal), fix }];
}

/** As fresh as the answer is. */
function withHeartbeat(hops: readonly Hop[], { silentMs }: Extract<ProbeOutcome, { ok: true }>): readonly Hop[] {
  if (silentMs === undefined) return hops;
  const said = `speaks ClusterLink's form, heartbeat ${(silentMs / 1_000).toFixed(1)} s ago`;
  return hops.map((hop) => (hop.hop === 'session' ? { ...hop, message: said } : hop));
}

function told({ reason, message }: Refusal): Pick<Hop, 'code' | 'message'> {
  return { code: reason, message };
}

function describeReady({ readyEndpoints }: RouteSource): string {
  return `${readyEndpoints} ready ${readyEndpoints === 1 ? 'endpoint' : 'endpoints'}`;
}

/** What puts it behind others, or gives it more than they have; nothing for one like all. */
function describeRank({ priority = 0, weight = 1 }: RouteSource): string {
  const last = weight === 0 ? ', used only while no other of its priority can be' : '';
  return `${priority === 0 ? '' : `; priority ${priority}`}${weight === 1 ? '' : `; weight ${weight}${last}`}`;
}

/** An allow mends nothing where a deny has decided: it goes before. */
function fixEgress({ input, route, source }: SourceQuestion, { deniedBy }: Denial): string {
  if (deniedBy !== undefined) return `change or remove ${deniedBy} in ${nameStore(input.store)}`;
  const { namespace, name, peer } = source;
  const words = `--namespace ${route.key.namespace} --export ${namespace}/${name} --to-peer ${peer}`;
  return writeCommand(input.store, 'allow', words);
}

function fixIngress({ input, source, port }: SourceQuestion, { reason }: Refusal): string {
  const { self, client, store } = input;
  const { peer, namespace, name } = source;
  const isHere = peer === self.name;
  if (reason === REASONS.ClientUnknown && isUnidentified(client)) return explainUnidentified(client).fix;
  if (reason === REASONS.Overloaded)
    return 'try again; see docs/LIMITS.md for the bounds, and status for who opens so many';
  if (reason === REASONS.NothingOffered) return `export ${namespace}/${name} with TCP port ${port}`;
  if (reason !== REASONS.IngressDenied) return 'see that both ends are of compatible versions';
  if (input.peer(peer)?.form === 'clusterlink') {
    return `at ${peer}: see that there is an Export ${namespace}/${name}, and an AccessPolicy in its namespace that allows clients of peer ${self.name}`;
  }
  const words = `--namespace ${namespace} --export ${namespace}/${name} --from-peer ${self.name}`;
  if (isHere) return `${writeCommand(store, 'allow', words)}, or change the policy that denies it`;
  return `at ${peer}: npx clusterlink-mcs allow ${words}; if that is said, its policies ask for more than it believes of clients here: see may-assert on its Peer object ${self.name}`;
}

function fixDial({ input, source }: SourceQuestion, { reason }: Refusal): string {
  const { peer, namespace, name } = source;
  if (reason === REASONS.Overloaded) return 'try again; see docs/LIMITS.md for the bounds';
  if (reason === REASONS.Loop) return `let no endpoint of ${namespace}/${name} be an import of the same service`;
  if (peer !== input.self.name) {
    return `at ${peer}: see that the endpoints of ${namespace}/${name} listen and are permitted by exports.targets; "npx clusterlink-mcs status" there has the reason`;
  }
  return reason === REASONS.TargetForbidden
    ? `add the endpoint of ${namespace}/${name} to exports.targets in the configuration, unless it is a gateway or an import`
    : `see that the endpoints of ${namespace}/${name} listen where its Service says`;
}
