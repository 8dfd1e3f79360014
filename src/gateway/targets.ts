/**
 * Which addresses an exporting gateway may dial (DESIGN §7): resolve, filter, dial the filtered address. Pure.
 *
 * An export names its endpoints, and whoever writes exports must not thereby reach the gateway's own loopback, a metadata
 * service or the gateway itself.
 */
import { BlockList, isIP } from 'node:net';
import { canonicalAddress } from '../api/addresses.ts';
import { AppError } from '../api/errors.ts';
import { isUnidentified, type ClientIdentity, type UnidentifiedCause } from './client-identity.ts';
import { ADDRESSES_JUDGED_MAX } from './limits.ts';

export interface TargetRule {
  /** A host name or an address, compared as text; or a CIDR; or '*'. */
  readonly host: string;
  /** undefined: any port. */
  readonly port: number | undefined;
}

export interface Target {
  /** The host as the export names it. */
  readonly named: string;
  /** The address it was resolved to. */
  readonly address: string;
  readonly port: number;
  /** Of the export. */
  readonly namespace: string;
}

export interface TargetFilter {
  allows(target: Target): boolean;
}

/** In a cluster: what its Pods and Nodes say of an address. */
export interface PodTargets {
  /** Of the one live pod that has it, and is not on the host network. */
  namespaceOf(address: string): string | undefined;
  /** Nodes, this pod, the API server: no rule of an administrator reaches them. */
  isForbidden(address: string): boolean;
}

export interface OwnAddresses {
  readonly listeners: readonly { readonly address: string; readonly port: number }[];
  /** The range that imports get their addresses from. */
  readonly pool?: string;
}

/** Never dialled unless a rule names them: what only this host can reach, and what is no host at all. */
const SPECIAL: readonly (readonly [string, number, 'ipv4' | 'ipv6'])[] = [
  ['0.0.0.0', 8, 'ipv4'], // "this network", RFC 791
  ['127.0.0.0', 8, 'ipv4'], // loopback
  ['169.254.0.0', 16, 'ipv4'], // link-local, and cloud metadata services
  ['224.0.0.0', 4, 'ipv4'], // multicast
  ['240.0.0.0', 4, 'ipv4'], // reserved, and broadcast
  ['::', 96, 'ipv6'], // unspecified, loopback, and IPv4-compatible (RFC 4291 §2.5.5.1)
  ['fe80::', 10, 'ipv6'], // link-local
  ['ff00::', 8, 'ipv6'], // multicast
  ['64:ff9b::', 96, 'ipv6'], // NAT64: an IPv4 address in disguise
  ['64:ff9b:1::', 48, 'ipv6'], // likewise, for local use (RFC 8215)
  ['2002::', 16, 'ipv6'], // 6to4: likewise
];

/**
 * @param rules - `host:port`, `cidr:port` or `*:port`, port a number or '*' (configuration `exports.targets`). A target in a
 *   special range passes only by a rule that names its address or a range of it; '*' does not.
 * @param own - what this process listens on: never a target, or a connection could come round to where it was.
 * @param pods - in a cluster: pods of the export's own namespace pass without a rule, and special ranges never.
 * @throws {AppError} `ERR_CONFIG` for a rule that cannot be read.
 */
export function makeTargetFilter(rules: readonly string[], own: OwnAddresses, pods?: PodTargets): TargetFilter {
  const special = new BlockList();
  for (const [address, bits, family] of SPECIAL) special.addSubnet(address, bits, family);
  const isSpecialAddress = remember((address) => special.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4'));
  const parsed = rules.map((rule) => compileRule(parseTargetRule(rule)));
  const coversPool = own.pool === undefined ? () => false : makeCover(own.pool);
  return {
    allows({ named, address, port, namespace }) {
      const plain = canonicalAddress(address);
      // A name that is not resolved yet: what it resolves to is asked about when it is dialled.
      if (isIP(plain) === 0)
        return parsed.some((rule) => isPortOf(rule, port) && (rule.host === '*' || rule.host === named));
      if (own.listeners.some((listener) => listener.port === port && coversOwn(listener.address, plain))) return false;
      if (coversPool(plain)) return false;
      const isSpecial = isSpecialAddress(plain);
      if (pods !== undefined) {
        if (isSpecial || pods.isForbidden(plain)) return false;
        if (pods.namespaceOf(plain) === namespace) return true;
      }
      const matching = parsed.filter((rule) => isPortOf(rule, port));
      if (isSpecial) {
        return matching.some(({ covers }) => covers(plain));
      }
      return matching.some(({ host, covers }) => host === '*' || host === named || covers(plain));
    },
  };
}

function isPortOf(rule: TargetRule, port: number): boolean {
  return rule.port === undefined || rule.port === port;
}

export function parseTargetRule(text: string): TargetRule {
  const match = /^(\[[0-9a-fA-F:.]+\](?:\/\d{1,3})?|[^:[\]]+):(\*|\d{1,5})$/.exec(text);
  const [, host = '', port = ''] = match ?? [];
  const number = port === '*' ? undefined : Number(port);
  if (match === null || (number !== undefined && (number < 1 || number > 65535))) {
    throw new AppError('ERR_CONFIG', `exports.targets: ${JSON.stringify(text)} is not host:port`, {
      fix: 'write an address, a host name, a range or * and a port or *, for example 10.0.0.0/8:5432 or 127.0.0.1:*',
    });
  }
  const plain = host.replace(/^\[|\]/g, '');
  if (!isRange(plain)) {
    throw new AppError('ERR_CONFIG', `exports.targets: ${JSON.stringify(text)} has a range that is none`, {
      fix: 'write an address and the number of its leading bits, at most 32, or 128 for IPv6',
    });
  }
  return { host: plain, port: number };
}

function isRange(host: string): boolean {
  const [base = '', bits] = host.split('/');
  return (
    bits === undefined || (isIP(base) !== 0 && /^\d+$/.test(bits) && Number(bits) <= (isIP(base) === 6 ? 128 : 32))
  );
}

const OF_HOST: ReadonlySet<UnidentifiedCause> = new Set([
  'host-network',
  'node-address',
  'api-server',
  'gateway-address',
]);

/** Who has an address as a client is whom one would reach there. */
export function makePodTargets(input: {
  at(address: string): ClientIdentity;
  readonly neverDial: readonly string[];
}): PodTargets {
  const { at, neverDial } = input;
  const never = new Set(neverDial.map(canonicalAddress));
  return {
    namespaceOf(address) {
      const client = at(address);
      return isUnidentified(client) ? undefined : client.namespace;
    },
    isForbidden(address) {
      const client = at(address);
      return never.has(address) || (isUnidentified(client) && OF_HOST.has(client.unidentified));
    },
  };
}

type CompiledRule = TargetRule & { readonly covers: Cover };
/** Whether an address is in the range of a rule. */
type Cover = (address: string) => boolean;

function compileRule(rule: TargetRule): CompiledRule {
  return { ...rule, covers: makeCover(rule.host) };
}

function makeCover(rule: string): Cover {
  const [base = '', bits] = rule.split('/');
  const family = isIP(base);
  if (family === 0) return () => false;
  const type = family === 6 ? 'ipv6' : 'ipv4';
  const range = new BlockList();
  range.addSubnet(base, bits === undefined ? (family === 6 ? 128 : 32) : Number(bits), type);
  return remember((address) => isIP(address) === family && range.check(address, type));
}

/** To ask a BlockList costs as much as a small write, and each connection asks for the same few endpoints. */
function remember(covers: Cover): Cover {
  const known = new Map<string, boolean>();
  return (address) => {
    const before = known.get(address);
    if (before !== undefined) return before;
    if (known.size >= ADDRESSES_JUDGED_MAX) known.clear();
    const verdict = covers(address);
    known.set(address, verdict);
    return verdict;
  };
}

/** A wildcard listener is reached by every address of this host; loopback ones are all that can be known here. */
function coversOwn(listener: string, address: string): boolean {
  const isWildcard = listener === '0.0.0.0' || listener === '::';
  return listener === address || (isWildcard && (address.startsWith('127.') || address === '::1'));
}
