/**
 * Whether a gateway may dial the host of an Export: for what its status and its record say, and for nothing else. What gateways do
 * is decided when they dial, by what the name resolves to then and by which pods there are. Pure.
 */
import { isIP } from 'node:net';
import type { IEndpointSlice } from '../api/generated/EndpointSlice.ts';
import { canonicalAddress } from '../api/addresses.ts';
import type { ForeseeTarget } from '../catalogue/host-targets.ts';
import type { ExportTarget } from '../catalogue/pod-targets.ts';
import { makeTargetFilter, parseTargetRule, type PodTargets } from './targets.ts';

export interface TargetForesightOptions {
  /** The configuration's `exports.targets`. */
  readonly targets: readonly string[];
  /** In a cluster: where pods behind Services are seen by those who may not read pods. */
  readonly slices?: () => readonly IEndpointSlice[];
}

/** @throws {AppError} `ERR_CONFIG` for a rule that cannot be read. */
export function makeTargetForesight({ targets, slices }: TargetForesightOptions): ForeseeTarget {
  const rules = targets.map(parseTargetRule);
  /** Standalone, a rule for addresses may cover what the name resolves to. */
  function couldResolve({ host, port }: ExportTarget): boolean {
    return rules
      .filter((rule) => rule.port === undefined || rule.port === port)
      .some((rule) => rule.host === '*' || rule.host === host || isIP(rule.host.split('/')[0] ?? '') !== 0);
  }
  const byRules = makeTargetFilter(targets, { listeners: [] }, slices && podsOf(undefined));
  const ofOwnPod = makeTargetFilter(targets, { listeners: [] }, slices && podsOf(''));
  return ({ namespace, host, port }) => {
    const target = { named: host, address: host, port, namespace: '' };
    if (isIP(host) === 0) {
      const isPermitted = slices === undefined ? couldResolve({ namespace, host, port }) : byRules.allows(target);
      return isPermitted ? 'permitted' : 'forbidden';
    }
    if (byRules.allows(target)) return 'permitted';
    if (slices === undefined || !ofOwnPod.allows(target)) return 'forbidden';
    // Whoever may not read pods sees those behind Services; another pod of the namespace may have the address all the same.
    const owners = podNamespaces(slices(), host);
    if (owners.has(namespace)) return 'permitted';
    return owners.size > 0 ? 'forbidden' : 'unseen';
  };
}

/** As if every address were that of a pod there; undefined: of no pod. */
function podsOf(namespace: string | undefined): PodTargets {
  return { namespaceOf: () => namespace, isForbidden: () => false };
}

/** Of the pods behind Services that have the address. */
function podNamespaces(slices: readonly IEndpointSlice[], host: string): ReadonlySet<string> {
  const address = canonicalAddress(host);
  const having = slices.filter(({ endpoints }) =>
    endpoints.some(
      ({ addresses, targetRef }) => targetRef?.kind === 'Pod' && addresses.map(canonicalAddress).includes(address),
    ),
  );
  return new Set(having.map(({ metadata }) => metadata?.namespace ?? ''));
}
