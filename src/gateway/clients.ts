/**
 * Who is behind an address, as the cluster's Pods, Nodes and API server say (DESIGN §7): exactly one live pod that is not on the
 * host network, else nobody. Kept by single changes, since a cluster has thousands of pods and each changes often.
 */
import { canonicalAddress } from '../api/addresses.ts';
import type { INode } from '../api/generated/Node.ts';
import type { IPod } from '../api/generated/Pod.ts';
import type { ClientIdentity, UnidentifiedCause, WorkloadIdentity } from './client-identity.ts';

/** Entries are by canonical address. */
export interface ClientsDelta {
  readonly set: readonly (readonly [address: string, identity: ClientIdentity])[];
  /** Addresses that are nobody's now. */
  readonly remove: readonly string[];
}

export interface ClientIndex {
  /** @param key - `namespace/name`. Undefined: the pod is gone. */
  setPod(key: string, pod: IPod | undefined): void;
  setNode(name: string, node: INode | undefined): void;
  /** @param slice - `namespace/name` of one of its EndpointSlices. @param addresses - none: it is gone, or another Service's. */
  setApiServer(slice: string, addresses: readonly string[]): void;
  /** Undefined: none of them has it. */
  at(address: string): ClientIdentity | undefined;
  /** Everything there is. */
  all(): ClientsDelta;
  /** What changed since it was last asked. */
  takeDelta(): ClientsDelta;
}

/** What one object says of an address. */
type Claim =
  | { readonly kind: 'pod'; readonly identity: WorkloadIdentity }
  | { readonly kind: 'host-network' }
  | { readonly kind: 'node' }
  | { readonly kind: 'api-server' };

/** @param own - addresses of this gateway: a connection from them was masqueraded, or is its own. */
export function makeClientIndex({ own }: { readonly own: readonly string[] }): ClientIndex {
  const ownAddresses = new Set(own.map(canonicalAddress));
  /** Address -> object -> its claim. */
  const claims = new Map<string, Map<string, Claim>>();
  const addressesByObject = new Map<string, readonly string[]>();
  const changed = new Set<string>();

  function setClaims(object: string, addresses: readonly string[], claim: Claim | undefined): void {
    for (const address of addressesByObject.get(object) ?? []) {
      const present = claims.get(address);
      present?.delete(object);
      if (present?.size === 0) claims.delete(address);
      changed.add(address);
    }
    addressesByObject.delete(object);
    if (addresses.length === 0 || claim === undefined) return;
    addressesByObject.set(object, addresses);
    for (const address of addresses) {
      const present = claims.get(address) ?? new Map<string, Claim>();
      claims.set(address, present.set(object, claim));
      changed.add(address);
    }
  }

  function resolve(address: string): ClientIdentity | undefined {
    if (ownAddresses.has(address)) return unidentified('gateway-address');
    const present = [...(claims.get(address)?.values() ?? [])];
    if (present.length === 0) return undefined;
    // A node's address is shared by all that runs on it, and by whatever it masquerades.
    if (present.some(({ kind }) => kind === 'node')) return unidentified('node-address');
    if (present.some(({ kind }) => kind === 'host-network')) return unidentified('host-network');
    if (present.some(({ kind }) => kind === 'api-server')) return unidentified('api-server');
    const [only] = present;
    return present.length === 1 && only?.kind === 'pod' ? only.identity : unidentified('several-pods');
  }

  function describe(addresses: Iterable<string>): ClientsDelta {
    const set: (readonly [string, ClientIdentity])[] = [];
    const remove: string[] = [];
    for (const address of addresses) {
      const identity = resolve(address);
      if (identity === undefined) remove.push(address);
      else set.push([address, identity]);
    }
    return { set, remove };
  }

  return {
    setPod(key, pod) {
      const object = `pod ${key}`;
      const claim = pod === undefined ? undefined : toClaim(pod);
      const addresses = claim === undefined || pod === undefined ? [] : addressesOf(pod);
      // Most changes of a pod are none of its identity: conditions, container states, annotations.
      if (isSame(addresses, addressesByObject.get(object) ?? [])) {
        const before = claims.get(addresses[0] ?? '')?.get(object);
        if (JSON.stringify(before) === JSON.stringify(claim)) return;
      }
      setClaims(object, addresses, claim);
    },
    setNode(name, node) {
      const object = `node ${name}`;
      const addresses = (node?.status?.addresses ?? [])
        .filter(({ type }) => type === 'InternalIP' || type === 'ExternalIP')
        .map(({ address }) => canonicalAddress(address));
      if (isSame(addresses, addressesByObject.get(object) ?? [])) return;
      setClaims(object, addresses, { kind: 'node' });
    },
    setApiServer(slice, addresses) {
      const object = `slice ${slice}`;
      const canonical = addresses.map(canonicalAddress);
      if (isSame(canonical, addressesByObject.get(object) ?? [])) return;
      setClaims(object, canonical, { kind: 'api-server' });
    },
    at: (address) => resolve(canonicalAddress(address)),
    all: () => describe(new Set([...claims.keys(), ...ownAddresses])),
    takeDelta() {
      const delta = describe(changed);
      changed.clear();
      return delta;
    },
  };
}

/** Undefined: it has finished, and somebody else may have its address. One that terminates still speaks. */
function toClaim({ metadata, spec, status }: IPod): Claim | undefined {
  if (status?.phase === 'Succeeded' || status?.phase === 'Failed') return undefined;
  if (spec?.hostNetwork === true) return { kind: 'host-network' };
  return {
    kind: 'pod',
    identity: {
      namespace: metadata?.namespace ?? '',
      serviceAccount: spec?.serviceAccountName ?? 'default',
      labels: { ...metadata?.labels },
    },
  };
}

function addressesOf({ status }: IPod): string[] {
  const all = [status?.podIP, ...(status?.podIPs ?? []).map(({ ip }) => ip)];
  return [...new Set(all.filter((ip) => ip !== undefined && ip !== '').map((ip) => canonicalAddress(ip ?? '')))];
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}

function unidentified(cause: UnidentifiedCause): ClientIdentity {
  return { unidentified: cause };
}
