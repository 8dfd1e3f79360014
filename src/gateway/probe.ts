/** Asks a source whether it would serve this peer's client, without a byte of payload: for `explain`. */
import { randomBytes } from 'node:crypto';
import { REASONS } from '../api/reasons.ts';
import type { SourceKey } from '../api/record.ts';
import { explainUnidentified, isUnidentified, type ClientIdentity } from './client-identity.ts';
import type { Self } from './decisions.ts';
import { toAsserted } from './asserted.ts';
import type { Ingress } from './ingress.ts';
import { probeConnection } from './link.ts';
import { PROBE_TIMEOUT_MS } from './limits.ts';
import type { ProbeOutcome } from './messages.ts';
import type { Peers } from './peers.ts';

export interface ProbeOptions {
  readonly self: Self;
  readonly client: ClientIdentity;
  readonly ingress: Ingress;
  readonly peers: Peers;
  readonly source: SourceKey;
  readonly port: number;
  readonly mode: 'decide' | 'dial';
}

export async function probeSource(options: ProbeOptions): Promise<ProbeOutcome> {
  const { self, client, peers, source, port, mode } = options;
  if (source.peer === self.name) return probeSelf(options);
  const link = peers.linkFor(source.peer);
  if (link === undefined)
    return { ok: false, reason: REASONS.PeerUnreachable, message: `No session with ${source.peer}.` };
  const connection = randomBytes(16).toString('hex');
  const outcome = await probeConnection(link, {
    exporter: source.peer,
    export: { namespace: source.namespace, name: source.name },
    port: { port, protocol: 'TCP' },
    source: toAsserted(client),
    client: connection,
    connection,
    via: [self.name],
    probe: mode,
    crit: ['mcs-probe'],
  });
  if (outcome.ok) return outcome;
  const { reason, message } = outcome;
  const isUntold = reason === REASONS.IngressDenied && isUnidentified(client);
  return { ok: false, reason, message: isUntold ? `${message} ${explainUnidentified(client).message}` : message };
}

async function probeSelf({ self, client, ingress, source, port, mode }: ProbeOptions): Promise<ProbeOutcome> {
  const access = { peer: self.name, asserted: null, own: client, export: source, port, clientKey: 'probe' };
  const decision = ingress.decide(access);
  if (!decision.ok || mode === 'decide') return decision.ok ? { ok: true } : decision;
  const opened = await ingress.open(access, AbortSignal.timeout(PROBE_TIMEOUT_MS));
  if (!opened.ok) return opened;
  opened.socket.destroy();
  return { ok: true };
}
