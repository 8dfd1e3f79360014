/** How a DNS server of the cluster comes to the names of a zone: by forwarding, or by CoreDNS' own `multicluster`. Pure. */
import { canonicalName, isWithin } from '../../dns/name.ts';
import type { Directive } from './corefile.ts';
import { CACHE_SECONDS_MAX } from './limits.ts';
import type { Server } from './servers.ts';

export interface Wiring {
  readonly kind: 'forward' | 'multicluster';
  /** The names that come this way: the zone itself, or one around it; the root is empty. */
  readonly zone: string;
  /** The object, and the key within it that is no `Corefile`: `ConfigMap kube-system/coredns-custom clusterset.server`. */
  readonly origin: string;
  /** Where that is text. */
  readonly line?: number;
  /** Of `forward`: where to, as it stands there. */
  readonly targets: readonly string[];
  /** Of `multicluster`: whether `kubernetes` has the zone in its own list too, without which it does not answer for it. */
  readonly isListed: boolean;
  /** What keeps answers for longer than they are true, `MINTTL of 30 s`. */
  readonly longCaches: readonly string[];
}

/** `ConfigMap kube-system/coredns line 12`. */
export function placeOf({ origin, line }: Wiring): string {
  return line === undefined ? origin : `${origin} line ${line}`;
}

/** Without a port: 53, CoreDNS' default for plain DNS. */
interface ServerKey {
  readonly zone: string;
  readonly port: number;
}

const DNS_PORT = 53;

/** Whether names of `zone` are names of `outer` too. */
export function isWithinZone(zone: string, outer: string): boolean {
  return outer === '' || isWithin(zone, outer);
}

/** undefined for what is asked in another way than plain DNS (`tls://`). */
function parseKey(key: string): ServerKey | undefined {
  const [, scheme = 'dns', rest = ''] = /^(?:([a-z]+):\/\/)?(.*)$/.exec(key.toLowerCase()) ?? [];
  if (scheme !== 'dns') return undefined;
  const [, zone = '', port] = /^(.*?)(?::(\d+))?$/.exec(rest) ?? [];
  return { zone: canonicalName(zone), port: port === undefined ? DNS_PORT : Number(port) };
}

export interface WiringsOf {
  /** Those of the server block that answers: CoreDNS takes the one with the longest zone. */
  readonly effective: readonly Wiring[];
  /** Those of blocks around it, which are not asked. */
  readonly shadowed: readonly Wiring[];
}

/**
 * A `forward` for everything counts only where it leads to one of `ours`: else it is the way to the rest of the world.
 *
 * @param zone - in lower case, without the trailing dot.
 */
export function wiringsOf(
  servers: readonly Server[],
  { zone, isOurs }: { readonly zone: string; readonly isOurs: (target: string) => boolean },
): WiringsOf {
  const keyed = servers.flatMap((server) =>
    server.keys.flatMap((key) => {
      const parsed = parseKey(key);
      return parsed === undefined ? [] : [{ ...parsed, server }];
    }),
  );
  // Where pods ask: a block on another port is not asked by them.
  const rootPorts = new Set(keyed.filter((key) => key.zone === '').map(({ port }) => port));
  const candidates = keyed
    .filter((key) => isWithinZone(zone, key.zone) && (rootPorts.size === 0 || rootPorts.has(key.port)))
    .sort((a, b) => b.zone.length - a.zone.length);
  const longest = candidates[0]?.zone;
  const effective: Wiring[] = [];
  const shadowed: Wiring[] = [];
  for (const { zone: key, server } of candidates) {
    (key === longest ? effective : shadowed).push(...ofServer(server, { zone, key, isOurs }));
  }
  return { effective, shadowed };
}

interface Asked {
  readonly zone: string;
  readonly key: string;
  readonly isOurs: (target: string) => boolean;
}

function ofServer(server: Server, { zone, key, isOurs }: Asked): Wiring[] {
  const longCaches = server.directives.flatMap((directive) => longCachesOf(directive, zone));
  return server.directives.flatMap((directive): Wiring[] => {
    const at = { origin: server.origin, line: directive.line };
    if (directive.name === 'forward') {
      const [from = '.', ...targets] = directive.args;
      // `forward .` in the block of a zone forwards that zone.
      const outer = canonicalName(from) === '' ? key : canonicalName(from);
      if (!isWithinZone(zone, outer) || (outer === '' && !targets.some(isOurs))) return [];
      return [{ kind: 'forward', zone: outer, ...at, targets, isListed: true, longCaches }];
    }
    if (directive.name !== 'kubernetes') return [];
    const served = directive.block
      .filter(({ name }) => name === 'multicluster')
      .flatMap(({ args }) => args.map(canonicalName))
      .filter((outer) => isWithinZone(zone, outer));
    const listed = (directive.args.length === 0 ? [key] : directive.args.map(canonicalName)).filter(Boolean);
    const isListed = listed.some((outer) => isWithinZone(zone, outer));
    const ttls = [...longCaches, ...directive.block.flatMap(longTtlOf)];
    return served.map((outer) => ({
      kind: 'multicluster',
      zone: outer,
      ...at,
      targets: [],
      isListed,
      longCaches: ttls,
    }));
  });
}

/**
 * What the plugin `cache` keeps for longer than the answer says. Its largest TTLs (`cache 30`) are none of it: an answer of the
 * responder says 4 s, and that is kept, or MINTTL where that is more.
 *
 * @see https://coredns.io/plugins/cache/ (defaults: MINTTL 5 s, servfail 5 s, at most 5 min; serve_stale 1 h)
 */
function longCachesOf({ name, args, block }: Directive, zone: string): string[] {
  if (name !== 'cache') return [];
  const zones = args.filter((arg) => !/^\d+$/.test(arg)).map(canonicalName);
  if (zones.length > 0 && !zones.some((outer) => isWithinZone(zone, outer))) return [];
  return block.flatMap((property) => {
    switch (property.name) {
      case 'success':
      case 'denial': {
        const seconds = Number(property.args[2] ?? 0);
        return seconds > CACHE_SECONDS_MAX ? [`${property.name} with a MINTTL of ${seconds} s`] : [];
      }
      case 'servfail': {
        const seconds = goDurationSeconds(property.args[0] ?? '');
        return seconds > CACHE_SECONDS_MAX ? [`servfail of ${seconds} s`] : [];
      }
      case 'serve_stale':
        return [`serve_stale of ${property.args[0] ?? '1h'}`];
      default:
        return [];
    }
  });
}

function longTtlOf({ name, args }: Directive): string[] {
  const seconds = Number(args[0] ?? 0);
  return name === 'ttl' && seconds > CACHE_SECONDS_MAX ? [`ttl of ${seconds} s in kubernetes`] : [];
}

const GO_UNITS: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600 };

/** `1m30s`; 0 for what is none. */
function goDurationSeconds(text: string): number {
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/.test(text)) return 0;
  return [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)].reduce(
    (sum, [, number, unit = '']) => sum + Number(number) * (GO_UNITS[unit] ?? 0),
    0,
  );
}
