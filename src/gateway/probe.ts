/** Asks a source whether it would serve this peer's client, without a byte of payload: for `explain`. */
import { REASONS } from '../api/reasons.ts';
import type { SourceKey } from '../api/record.ts';
import { explainUnidentified, isUnidentified, type ClientIdentity } from './client-identity.ts';
import type { Self } from './decisions.ts';
import { limitAsker, type Asker } from './asker.ts';
import { makeConnectionId } from './connection-id.ts';
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
  const connection = makeConnectionId();
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

/** Who asks waits for the answer, for as long as it may take. */
const NOBODY_LEAVES: Asker = { isGone: false, onGone: () => () => undefined };

async function probeSelf({ self, client, ingress, source, port, mode }: ProbeOptions): Promise<ProbeOutcome> {
  const access = { peer: self.name, asserted: null, own: client, export: source, port, clientKey: 'probe' };
  const decision = ingress.decide(access);
  if (!decision.ok || mode === 'decide') return decision.ok ? { ok: true } : decision;
  const asker = limitAsker(NOBODY_LEAVES, PROBE_TIMEOUT_MS);
  const opened = await ingress.open({ access, asker, origin: { kind: 'probe' } });
  asker.end();
  if (!opened.ok) return opened;
  opened.socket.destroy();
  return { ok: true };
}
