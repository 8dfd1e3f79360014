/** Wirings that stand in no Corefile of ours to read: OpenShift's operator, GKE's kube-dns. Pure. */
import { describeObject } from '../../api/object.ts';
import type { Manifest } from '../deploy/manifests.ts';
import { canonicalName } from '../../dns/name.ts';
import { isWithinZone, type Wiring, type WiringsOf } from './wiring.ts';

export function dataOf(configMap: Manifest): Readonly<Record<string, string>> {
  const { data } = configMap as { readonly data?: Readonly<Record<string, string>> };
  return data ?? {};
}

/** The same ConfigMap with these keys and no other, as it is applied. */
export function withData(configMap: Manifest, data: Readonly<Record<string, string>>): Manifest {
  const { name = '', namespace = '' } = configMap.metadata ?? {};
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data };
}

export interface OperatorServer {
  readonly name?: string;
  readonly zones?: readonly string[];
  readonly forwardPlugin?: { readonly upstreams?: readonly string[] };
}

/** `spec.servers` of `dns.operator.openshift.io`. */
export function operatorServers(object: Manifest): readonly OperatorServer[] {
  const { spec } = object as { readonly spec?: { readonly servers?: readonly OperatorServer[] } };
  return spec?.servers ?? [];
}

export function operatorWirings(object: Manifest, zone: string): WiringsOf {
  const wirings = operatorServers(object).flatMap(({ name = '', zones = [], forwardPlugin }) =>
    zones
      .map(canonicalName)
      .filter((outer) => outer !== '' && isWithinZone(zone, outer))
      .map((outer) =>
        forward(`${describeObject(object)} server ${name}`, { zone: outer, targets: forwardPlugin?.upstreams ?? [] }),
      ),
  );
  return longestOf(wirings);
}

/**
 * `stubDomains` of ConfigMap kube-system/kube-dns: JSON, zones to lists of addresses. What cannot be read wires nothing.
 *
 * @see https://kubernetes.io/docs/tasks/administer-cluster/dns-custom-nameservers/
 */
export function stubDomainWirings(configMap: Manifest | undefined, zone: string): WiringsOf {
  if (configMap === undefined) return { effective: [], shadowed: [] };
  const wirings = Object.entries(stubDomainsOf(configMap))
    .filter(([outer]) => isWithinZone(zone, canonicalName(outer)))
    .map(([outer, targets]) =>
      forward(`${describeObject(configMap)} stubDomains`, { zone: canonicalName(outer), targets }),
    );
  return longestOf(wirings);
}

export function stubDomainsOf(configMap: Manifest): Readonly<Record<string, readonly string[]>> {
  try {
    const parsed: unknown = JSON.parse(dataOf(configMap)['stubDomains'] ?? '{}');
    if (typeof parsed !== 'object' || parsed === null) return {};
    return Object.fromEntries(
      Object.entries(parsed).map(([zone, targets]: [string, unknown]) => [
        zone,
        Array.isArray(targets) ? targets.filter((target) => typeof target === 'string') : [],
      ]),
    );
  } catch {
    return {};
  }
}

function forward(origin: string, { zone, targets }: { zone: string; targets: readonly string[] }): Wiring {
  return { kind: 'forward', zone, origin, targets, isListed: true, longCaches: [] };
}

function longestOf(wirings: readonly Wiring[]): WiringsOf {
  const longest = Math.max(...wirings.map(({ zone }) => zone.length));
  return {
    effective: wirings.filter(({ zone }) => zone.length === longest),
    shadowed: wirings.filter(({ zone }) => zone.length < longest),
  };
}
