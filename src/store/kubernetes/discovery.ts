/** Which version of a kind the server serves: others install CRDs too, older and newer ones, and upgrade them while we run. */
import { KINDS, type KindName } from '../../api/kinds.ts';
import type { Clock } from '../../runtime/clock.ts';
import { isJsonMap } from '../json.ts';
import type { ApiTransport } from './transport.ts';
import { DISCOVERY_LIFE_MS, REQUEST_TIMEOUT_MS } from './limits.ts';
import { groupVersionPath } from './paths.ts';

export interface Discovery {
  /**
   * The best version that is served; undefined when none is. Asked for kinds with more than one version alone; at most
   * {@link DISCOVERY_LIFE_MS} old.
   *
   * @throws {AppError} when the server cannot be asked and never could.
   */
  versionOf(kind: KindName): Promise<string | undefined>;
  /** As last known, without asking. */
  known(kind: KindName): string | undefined;
  /** Forgets what is known of the kind: an answer contradicted it. */
  doubt(kind: KindName): void;
}

interface Known {
  readonly version: string | undefined;
  readonly atMs: number;
}

export interface DiscoveryOptions {
  readonly transport: Pick<ApiTransport, 'request'>;
  readonly clock: Clock;
  readonly signal?: AbortSignal;
}

export function makeDiscovery({ transport, clock, signal }: DiscoveryOptions): Discovery {
  const knownByKind = new Map<KindName, Known>();
  const doubted = new Set<KindName>();
  const asking = new Map<KindName, Promise<string | undefined>>();

  async function ask(kind: KindName): Promise<string | undefined> {
    const { group, served, plural } = KINDS[kind];
    for (const version of served) {
      const path = groupVersionPath(group, version);
      const { status, body } = await transport.request({
        method: 'GET',
        path,
        timeoutMs: REQUEST_TIMEOUT_MS,
        ...(signal === undefined ? {} : { signal }),
      });
      if (status === 200 && hasResource(body, plural)) return version;
      // Neither a yes nor a no: what is true of the others is not known either.
      if (status !== 200 && status !== 404) return knownByKind.get(kind)?.version ?? version;
    }
    return undefined;
  }

  async function refresh(kind: KindName): Promise<string | undefined> {
    const before = knownByKind.get(kind);
    try {
      const version = await ask(kind);
      knownByKind.set(kind, { version, atMs: clock.nowMs() });
      doubted.delete(kind);
      return version;
    } catch (error) {
      if (before === undefined) throw error;
      return before.version;
    }
  }

  return {
    async versionOf(kind) {
      const { served, version } = KINDS[kind];
      if (served.length === 1) return version;
      const known = knownByKind.get(kind);
      const isFresh = known !== undefined && !doubted.has(kind) && clock.nowMs() - known.atMs < DISCOVERY_LIFE_MS;
      if (isFresh) return known.version;
      const running = asking.get(kind) ?? refresh(kind).finally(() => asking.delete(kind));
      asking.set(kind, running);
      return running;
    },
    known: (kind) => (KINDS[kind].served.length === 1 ? KINDS[kind].version : knownByKind.get(kind)?.version),
    doubt: (kind) => void doubted.add(kind),
  };
}

function hasResource(body: unknown, plural: string): boolean {
  const resources = isJsonMap(body) && Array.isArray(body['resources']) ? (body['resources'] as unknown[]) : [];
  return resources.some((resource) => isJsonMap(resource) && resource['name'] === plural);
}
