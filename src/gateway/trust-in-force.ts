/** The trust that is in force in a data plane: made of this peer's identity and of its last snapshot, anew when either changes. */
import { isDeepStrictEqual } from 'node:util';
import type { PeerIdentity } from '../fabric/files.ts';
import { makeTrust, type Trust, type TrustInput } from '../fabric/trust.ts';
import type { Routes } from './routes.ts';

export interface TrustInForceOptions {
  /** The name of this peer. */
  readonly self: string;
  readonly identity: () => PeerIdentity;
  readonly routes: () => Routes;
}

/** The same object as long as nothing has changed: what it has found out of a certificate is kept with it. */
export function makeTrustInForce({ self, identity, routes }: TrustInForceOptions): () => Trust {
  let seen: { readonly identity: PeerIdentity; readonly routes: Routes } | undefined;
  let made: { readonly input: TrustInput; readonly trust: Trust } | undefined;
  return () => {
    const now = { identity: identity(), routes: routes() };
    if (made !== undefined && seen?.identity === now.identity && seen.routes === now.routes) return made.trust;
    seen = now;
    const rootsByPeer = new Map(
      [...now.routes.peers.values()].flatMap(({ name, roots }) =>
        roots === undefined ? [] : [[name, roots] as const],
      ),
    );
    const input = { self, caPem: now.identity.caPem, rootsByPeer, revoked: now.routes.revoked };
    if (made === undefined || !isDeepStrictEqual(made.input, input)) made = { input, trust: makeTrust(input) };
    return made.trust;
  };
}
