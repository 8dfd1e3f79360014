/** The two yeses (DESIGN §3.2), as questions to the policy engine: pure, asked at the start and again on every change. */
import { formatKey } from '../api/object.ts';
import { REASONS, type Reason } from '../api/reasons.ts';
import { clientAttributes, exportAttributes, workloadAttributes } from '../policy/attributes.ts';
import { couldAdmit, decide } from '../policy/decide.ts';
import { explainDecision } from '../policy/explain.ts';
import type { Attributes, Question } from '../policy/types.ts';
import {
  explainUnidentified,
  isUnidentified,
  type ClientIdentity,
  type Unidentified,
  type WorkloadIdentity,
} from './client-identity.ts';
import type { Assertable, ExportRoute, ImportRoute, RouteSource } from './messages.ts';
import type { Routes } from './routes.ts';

export type { ClientIdentity } from './client-identity.ts';

/** The peer that this process is. */
export interface Self {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** What a peer says about the workload behind a connection; null when it says nothing. */
export type AssertedClient = Partial<WorkloadIdentity> | null;

export interface Denial {
  readonly allowed: false;
  readonly reason: Reason;
  readonly message: string;
  /** Where it can be said here. */
  readonly fix?: string;
  /** The policy that denies it, if one does: `Kind namespace/name`. */
  readonly deniedBy?: string;
}

export type Admission = { readonly allowed: true; readonly message: string } | Denial;

export interface EgressQuestion {
  readonly routes: Routes;
  readonly self: Self;
  readonly client: ClientIdentity;
  readonly route: ImportRoute;
  readonly source: RouteSource;
}

/** May this client use this source through this import? Policies of the import's namespace count. */
export function decideEgress(asked: EgressQuestion): Admission {
  const { routes, client } = asked;
  const question = toEgressQuestion(asked);
  const decision = decide(routes.policies, question);
  const message = explainDecision(decision, question);
  if (decision.allowed) return { allowed: true, message };
  if (isUnidentified(client) && couldAdmit(routes.policies, question)) return denyUnidentified(client, message);
  const { policy } = decision;
  const deniedBy = policy === undefined ? {} : { deniedBy: `${policy.kind} ${formatKey(policy)}` };
  return { allowed: false, reason: REASONS.EgressDenied, message, ...deniedBy };
}

/** What policies are asked about it: `test policy` asks the same. */
export function toEgressQuestion({ routes, self, client, route, source }: EgressQuestion): Question {
  return {
    from: ownClientAttributes(self, client),
    to: exportAttributes({
      peer: source.peer,
      peerLabels: source.peer === self.name ? self.labels : (routes.peers.get(source.peer)?.labels ?? {}),
      namespace: source.namespace,
      name: source.name,
      labels: route.labels,
    }),
    namespace: route.key.namespace,
  };
}

/** A denial for no other reason than that nobody knows who the client is. */
function denyUnidentified(client: Unidentified, decision: string): Denial {
  const { message, fix } = explainUnidentified(client);
  return { allowed: false, reason: REASONS.ClientUnknown, message: `${message} ${decision}`, fix };
}

/** For closing records, where there is one text. */
export function describeDenial({ message, fix }: Denial): string {
  return fix === undefined ? message : `${message} Fix: ${fix}.`;
}

function ownClientAttributes(self: Self, client: ClientIdentity): Attributes {
  const workload = isUnidentified(client) ? {} : client;
  return clientAttributes({ peer: self.name, peerLabels: self.labels, ...workload });
}

export interface IngressQuestion {
  readonly routes: Routes;
  readonly self: Self;
  /** The name in the certificate of the peer that asks; self for a local source. */
  readonly peer: string;
  readonly asserted: AssertedClient;
  readonly export: { readonly namespace: string; readonly name: string };
  /** A peer without a Peer object may ask too (setting `clusterlinkCompat: fabric`); absent: it is refused. */
  readonly strangers?: 'may-ask';
}

/** May this workload of this peer use this export? Policies of the export's namespace count. */
export function decideIngress({ routes, self, peer, asserted, export: key, strangers }: IngressQuestion): Admission {
  const route = routes.exports.get(formatKey(key));
  if (route === undefined) {
    return { allowed: false, reason: REASONS.NothingOffered, message: `${formatKey(key)} is not exported here.` };
  }
  const isSelf = peer === self.name;
  const peerRoute = routes.peers.get(peer);
  if (!isSelf && peerRoute === undefined && strangers === undefined) {
    return { allowed: false, reason: REASONS.PeerUnknown, message: `There is no Peer object for ${peer}.` };
  }
  if (!isOfferedTo(route, peer)) {
    return {
      allowed: false,
      reason: REASONS.IngressDenied,
      message: `The export's annotation export-to does not name ${peer}.`,
    };
  }
  const question = toIngressQuestion({ routes, self, peer, asserted, route });
  const decision = decide(routes.policies, question);
  const message = explainDecision(decision, question);
  return decision.allowed ? { allowed: true, message } : { allowed: false, reason: REASONS.IngressDenied, message };
}

/** What policies are asked about it: `test policy` asks the same. */
export function toIngressQuestion(
  input: Omit<IngressQuestion, 'export' | 'strangers'> & { readonly route: ExportRoute },
): Question {
  const { routes, self, peer, asserted, route } = input;
  const isSelf = peer === self.name;
  const peerRoute = routes.peers.get(peer);
  const peerLabels = isSelf ? self.labels : (peerRoute?.labels ?? {});
  const mayAssert: readonly Assertable[] = isSelf
    ? ['namespace', 'service-account', 'labels']
    : (peerRoute?.mayAssert ?? []);
  return {
    from: believedAttributes({ peer, peerLabels, asserted, mayAssert }),
    to: ownExportAttributes(self, route),
    namespace: route.namespace,
  };
}

export type OwnIngressQuestion = Omit<IngressQuestion, 'peer' | 'asserted' | 'strangers'> & {
  readonly client: ClientIdentity;
};

/**
 * The same for a client of this peer itself: what it is comes from here, so all of it is believed, and the reason of a
 * denial is the real one.
 */
export function decideOwnIngress(question: OwnIngressQuestion): Admission {
  const { self, routes, client, export: key } = question;
  const asserted = isUnidentified(client) ? null : client;
  const admission = decideIngress({ routes, self, export: key, peer: self.name, asserted });
  if (admission.allowed || admission.reason !== REASONS.IngressDenied || !isUnidentified(client)) return admission;
  const route = routes.exports.get(formatKey(key));
  if (route === undefined || !isOfferedTo(route, self.name)) return admission;
  const could = couldAdmit(routes.policies, {
    from: ownClientAttributes(self, client),
    to: ownExportAttributes(self, route),
    namespace: key.namespace,
  });
  return could ? denyUnidentified(client, admission.message) : admission;
}

/** Whether the annotation export-to lets it ask at all. */
export function isOfferedTo({ exportTo }: ExportRoute, peer: string): boolean {
  return exportTo === undefined || exportTo.includes(peer);
}

/** Whether some workload of this peer could be admitted: nobody else learns that the export is there (DESIGN §3.3). */
export function mayKnowExport(question: Omit<IngressQuestion, 'asserted'>): boolean {
  const { routes, self, peer, export: key, strangers } = question;
  const route = routes.exports.get(formatKey(key));
  const peerRoute = routes.peers.get(peer);
  if (route === undefined || (peerRoute === undefined && strangers === undefined)) return false;
  if (!isOfferedTo(route, peer)) return false;
  return couldAdmit(routes.policies, {
    from: workloadAttributes({ peer, peerLabels: peerRoute?.labels ?? {} }),
    to: ownExportAttributes(self, route),
    namespace: key.namespace,
  });
}

function ownExportAttributes(self: Self, { namespace, name, labels }: ExportRoute): Attributes {
  return exportAttributes({ peer: self.name, peerLabels: self.labels, namespace, name, labels });
}

/** What a peer asserts counts as far as its Peer object grants it; everything else about the workload stays unknown. */
function believedAttributes(input: {
  readonly peer: string;
  readonly peerLabels: Readonly<Record<string, string>>;
  readonly asserted: AssertedClient;
  readonly mayAssert: readonly Assertable[];
}): Attributes {
  const { peer, peerLabels, asserted, mayAssert } = input;
  const believed = asserted ?? {};
  return clientAttributes({
    peer,
    peerLabels,
    ...(mayAssert.includes('namespace') && believed.namespace !== undefined ? { namespace: believed.namespace } : {}),
    ...(mayAssert.includes('service-account') && believed.serviceAccount !== undefined
      ? { serviceAccount: believed.serviceAccount }
      : {}),
    ...(mayAssert.includes('labels') && believed.labels !== undefined ? { labels: believed.labels } : {}),
  });
}
