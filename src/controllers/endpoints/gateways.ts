/** The gateway pods that may stand in EndpointSlices: pure. */
import type { IPod } from '../../api/generated/Pod.ts';
import { LABELS, MANAGED_BY, SYSTEM_NAMESPACE } from '../../api/names.ts';
import { compareText } from '../../api/object.ts';

export type Family = 'IPv4' | 'IPv6';

export interface Gateway {
  readonly name: string;
  readonly uid: string;
  readonly nodeName?: string;
  /** One address of each family that it has. */
  readonly addresses: Readonly<Partial<Record<Family, string>>>;
}

/** Running, ready and staying; in order of name. */
export function readyGateways(pods: readonly IPod[]): Gateway[] {
  return pods
    .filter((pod) => isGateway(pod) && isReady(pod))
    .map(toGateway)
    .sort((a, b) => compareText(a.name, b.name));
}

function isGateway({ metadata }: IPod): boolean {
  const labels = metadata?.labels ?? {};
  return (
    metadata?.namespace === SYSTEM_NAMESPACE &&
    labels[LABELS.appName] === MANAGED_BY &&
    labels[LABELS.component] === 'gateway'
  );
}

/** Running, ready and staying. */
export function isReady({ metadata, status }: IPod): boolean {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  return metadata?.deletionTimestamp === undefined && status?.phase === 'Running' && ready?.status === 'True';
}

function toGateway({ metadata, spec, status }: IPod): Gateway {
  const { podIP, podIPs = podIP === undefined ? [] : [{ ip: podIP }] } = status ?? {};
  const addresses: Partial<Record<Family, string>> = {};
  for (const { ip } of podIPs) addresses[familyOf(ip)] ??= ip;
  return {
    name: metadata?.name ?? '',
    uid: metadata?.uid ?? '',
    ...(spec?.nodeName === undefined ? {} : { nodeName: spec.nodeName }),
    addresses,
  };
}

export function familyOf(ip: string): Family {
  return ip.includes(':') ? 'IPv6' : 'IPv4';
}
