/** A snapshot as the data plane uses it: looked up by name, frozen, replaced whole. Pure. */
import { formatKey } from '../api/object.ts';
import type { ExportRoute, GatewaySnapshot, ImportRoute, PeerRoute } from './messages.ts';

export interface Routes {
  readonly version: number;
  readonly peers: ReadonlyMap<string, PeerRoute>;
  /** By `namespace/name`. */
  readonly imports: ReadonlyMap<string, ImportRoute>;
  /** By `namespace/name`. */
  readonly exports: ReadonlyMap<string, ExportRoute>;
  readonly policies: GatewaySnapshot['policies'];
  readonly revoked: NonNullable<GatewaySnapshot['revoked']>;
}

export function toRoutes(snapshot: GatewaySnapshot): Routes {
  return {
    version: snapshot.version,
    peers: new Map(snapshot.peers.map((peer) => [peer.name, peer])),
    imports: new Map(snapshot.imports.map((route) => [formatKey(route.key), route])),
    exports: new Map(snapshot.exports.map((route) => [formatKey(route), route])),
    policies: snapshot.policies,
    revoked: snapshot.revoked ?? [],
  };
}
