/**
 * Whether the host of an Export is certainly none that a gateway may dial: for what its status says, and for nothing else. What
 * gateways do is decided when they dial, by what the name resolves to then and by which pods there are. Pure.
 */
import { isIP } from 'node:net';
import type { IEndpointSlice } from '../api/generated/EndpointSlice.ts';
import { canonicalAddress } from '../api/addresses.ts';
import type { ExportTarget } from '../catalogue/pod-targets.ts';
import { makeTargetFilter, parseTargetRule } from './targets.ts';

export interface TargetForesightOptions {
  /** The configuration's `exports.targets`. */
  readonly targets: readonly string[];
  /** In a cluster: where pods behind Services are seen by those who may not read pods. */
  readonly slices?: () => readonly IEndpointSlice[];
}

/** @throws {AppError} `ERR_CONFIG` for a rule that cannot be read. */
export function makeTargetForesight({ targets, slices }: TargetForesightOptions): (target: ExportTarget) => boolean {
  const rules = targets.map(parseTargetRule);
  /** Standalone, a rule for addresses may cover what the name resolves to. */
  function couldResolve({ host, port }: ExportTarget): boolean {
    return rules
      .filter((rule) => rule.port === undefined || rule.port === port)
      .some((rule) => rule.host === '*' || rule.host === host || isIP(rule.host.split('/')[0] ?? '') !== 0);
  }
  return (target) => {
    const { namespace, host, port } = target;
    if (slices === undefined && isIP(host) === 0) return !couldResolve(target);
    const pods = {
      namespaceOf: (address: string) => (hasPod(slices?.() ?? [], namespace, address) ? namespace : undefined),
      isForbidden: () => false,
    };
    const filter = makeTargetFilter(targets, { listeners: [] }, slices === undefined ? undefined : pods);
    return !filter.allows({ namespace, named: host, address: host, port });
  };
}

function hasPod(slices: readonly IEndpointSlice[], namespace: string, address: string): boolean {
  return slices
    .filter(({ metadata }) => metadata?.namespace === namespace)
    .flatMap(({ endpoints }) => endpoints)
    .some(({ addresses, targetRef }) => targetRef?.kind === 'Pod' && addresses.map(canonicalAddress).includes(address));
}
