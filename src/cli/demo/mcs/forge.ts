/** What a peer could try that was told of nothing: with its own, valid certificate it asks for an export by name. */
import { randomBytes } from 'node:crypto';
import { loadIdentity } from '../../../fabric/files.ts';
import { dialPeer } from '../../../gateway/handshake.ts';
import { openStream } from '../../../gateway/open-stream.ts';
import { establishSession } from '../../../gateway/session.ts';
import type { PeerLayout } from '../layout.ts';

export interface Forgery {
  readonly as: PeerLayout;
  readonly target: PeerLayout;
  readonly export: { readonly namespace: string; readonly name: string };
  readonly port: number;
}

/** The reason of the refusal, or `undefined` if it was let in. */
export async function forgeConnect({ as, target, export: key, port }: Forgery): Promise<string | undefined> {
  const identity = await loadIdentity(as.certificates);
  const gateway = { host: '127.0.0.1', port: target.gatewayPort ?? 0 };
  const dialled = await dialPeer({ peer: target.name, gateway, identity, signal: AbortSignal.timeout(5_000) });
  if (!dialled.ok) throw new Error(dialled.message);
  const session = await establishSession({
    socket: dialled.socket,
    role: 'dialler',
    peer: target.name,
    hello: { peer: as.name, epoch: 'forged', instance: 'forged', version: '0.0.0', features: [], streams: 1 },
    onStream: (_session, stream) => stream.reset(),
    onDraining: () => undefined,
    onClose: () => undefined,
  });
  const connection = randomBytes(16).toString('hex');
  const attempt = await openStream(session, {
    exporter: target.name,
    export: key,
    port: { port, protocol: 'TCP' },
    source: null,
    client: connection,
    connection,
    via: [as.name],
    crit: [],
  });
  if (attempt.ok) attempt.upstream.on('error', () => undefined);
  session.close();
  return attempt.ok ? undefined : attempt.reason;
}
