/** Which listeners an import needs: pure. The only place that knows that a pod listens elsewhere than a host does. */
import { formatKey } from '../api/object.ts';
import type { Home } from './home.ts';
import type { ImportRoute } from './messages.ts';

export interface WantedListener {
  /** `namespace/name` of the import: whoever is accepted here is a client of this import, and of no other ever. */
  readonly object: string;
  /** The port of the import. */
  readonly port: number;
  readonly address: string;
  readonly listenPort: number;
  /**
   * What to do when that port is taken: standalone, names can tell of another one (SRV); in a cluster the derived Service
   * names exactly this one.
   */
  readonly ifTaken: 'remap' | 'fail';
  /** Where it was before, when it could not have the port itself: clients and SRV records know that one. */
  readonly lastListenPort?: number;
}

/**
 * Standalone: each clusterset address at the port itself. Cluster: each own address at the target port, which is behind the
 * clusterset address; a port that has none yet is not served.
 */
export function listenersOf(route: ImportRoute, home: Home): WantedListener[] {
  const object = formatKey(route.key);
  const ports = route.ports.filter(({ protocol }) => protocol === 'TCP');
  if (home.kind === 'standalone') {
    return route.ips.flatMap((address) =>
      ports.map(({ port, lastListenPort }) => ({
        object,
        port,
        address,
        listenPort: port,
        ifTaken: 'remap' as const,
        ...(lastListenPort === undefined ? {} : { lastListenPort }),
      })),
    );
  }
  return home.listen.flatMap((address) =>
    ports.flatMap(({ port, targetPort: listenPort }) =>
      listenPort === undefined ? [] : [{ object, port, address, listenPort, ifTaken: 'fail' as const }],
    ),
  );
}
