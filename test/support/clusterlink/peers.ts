/** The remote peers that an emulated one has Peer objects for: a client for decisions and a watch for each. */
import type { PeerClient } from './client.ts';
import type { RemotePeer } from './egress.ts';
import type { Timeouts } from './flavour.ts';
import { startMonitor, type Monitor } from './heartbeat.ts';
import type { PeerObject } from './types.ts';

export interface RemotePeers {
  readonly known: ReadonlyMap<string, RemotePeer>;
  set(objects: readonly PeerObject[]): Promise<void>;
  /** New requests go over new connections: after a change of certificate. */
  forgetConnections(): void;
}

interface Watched extends RemotePeer {
  readonly heartbeats: PeerClient;
  readonly monitor: Monitor;
}

export function makePeers(options: {
  readonly timeouts: Timeouts;
  clientOf(peer: PeerObject): PeerClient;
}): RemotePeers {
  const { timeouts, clientOf } = options;
  const known = new Map<string, Watched>();

  function start(object: PeerObject): Watched {
    // Two sets of connections, as theirs: heartbeats and decisions do not wait for each other.
    const heartbeats = clientOf(object);
    const monitor = startMonitor(heartbeats, timeouts);
    let turns = 0;
    return { object, heartbeats, access: clientOf(object), monitor, status: monitor.status, turn: () => turns++ };
  }

  return {
    known,
    async set(objects) {
      const wanted = new Map(objects.map((object) => [object.name, object]));
      for (const [name, { object, monitor, access, heartbeats }] of [...known]) {
        if (JSON.stringify(wanted.get(name)) === JSON.stringify(object)) continue;
        known.delete(name);
        await monitor.stop();
        [access, heartbeats].forEach((client) => client.forget());
      }
      for (const [name, object] of wanted) if (!known.has(name)) known.set(name, start(object));
    },
    forgetConnections() {
      for (const { access, heartbeats } of known.values()) [access, heartbeats].forEach((client) => client.forget());
    },
  };
}
