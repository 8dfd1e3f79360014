/** The objects of one import, from what the merge made of rules and records, and its home of that: pure. */
import type { Applied } from '../../api/applied.ts';
import type { ConditionDraft } from '../../api/conditions.ts';
import { LABELS, MANAGED_BY, SYSTEM_NAMESPACE } from '../../api/names.ts';
import { compareText, type ObjectKey } from '../../api/object.ts';
import type { ConstituentVerdict, MergedImport } from '../../merge/types.ts';
import { LISTED_PORTS_MAX } from '../limits.ts';
import { portId, type Published } from './home.ts';

/** Protocols that the gateway carries. */
const SERVED_PROTOCOLS: readonly string[] = ['TCP'];
const managed = { [LABELS.managedBy]: MANAGED_BY };

/** `<name>.<namespace>`: both are labels, so the name fits and can be read back. */
export function bindingName({ namespace, name }: ObjectKey): string {
  return `${name}.${namespace}`;
}

export function bindingKey(key: ObjectKey): ObjectKey {
  return { namespace: SYSTEM_NAMESPACE, name: bindingName(key) };
}

export function desiredBinding(
  merged: MergedImport,
  { ips, targetPorts }: Pick<Published, 'ips' | 'targetPorts'>,
  verdicts: readonly ConstituentVerdict[],
): Applied<'ImportBinding'> {
  return {
    apiVersion: 'mcs.clusterlink.net/v1alpha1',
    kind: 'ImportBinding',
    metadata: { ...bindingKey(merged.key), labels: managed },
    spec: {
      import: { ...merged.key },
      owner: { ...merged.owner },
      type: merged.type,
      ips: [...ips],
      ipFamilies: [...merged.ipFamilies],
      ports: merged.ports.map((port) => {
        const targetPort = targetPorts.get(portId(port));
        return targetPort === undefined ? port : { ...port, targetPort };
      }),
      sources: [...merged.sources],
      verdicts: verdicts.map(({ source, reasons, loses, message }) => ({
        ...source,
        reasons: [...reasons],
        loses,
        message,
      })),
      loadBalancing: {
        ...merged.loadBalancing,
        ...(merged.sessionAffinity === 'ClientIP' && merged.sessionAffinityTimeoutSeconds !== undefined
          ? { affinityTimeoutSeconds: merged.sessionAffinityTimeoutSeconds }
          : {}),
      },
      // Left out where there is none: a map that becomes empty is null to server-side apply, which no schema takes.
      ...(Object.keys(merged.labels).length === 0 ? {} : { labels: { ...merged.labels } }),
      ...(merged.earlyData === undefined ? {} : { earlyData: merged.earlyData }),
      ...(merged.service === undefined ? {} : { service: merged.service }),
      ...(merged.joinsService === undefined ? {} : { joinsService: merged.joinsService }),
      ...(merged.aliases === undefined ? {} : { aliases: [...merged.aliases] }),
    },
  };
}

/** Every field that the KEP has is written out: the CRD defaults nothing (CRD-06, CRD-07). */
export function desiredServiceImport(merged: MergedImport, published: PublishedAddresses): Applied<'ServiceImport'> {
  const timeoutSeconds = merged.sessionAffinityTimeoutSeconds;
  return {
    apiVersion: 'multicluster.x-k8s.io/v1beta1',
    kind: 'ServiceImport',
    metadata: {
      ...merged.key,
      labels: { ...merged.labels, ...managed },
      annotations: { ...merged.annotations, ...published.annotations },
    },
    spec: {
      type: merged.type,
      ports: merged.ports.map(({ name, protocol, port, appProtocol }) => ({
        name,
        protocol,
        port,
        ...(appProtocol === undefined ? {} : { appProtocol }),
      })),
      ...desiredAddresses(merged, published),
      sessionAffinity: merged.sessionAffinity,
      ...(timeoutSeconds === undefined ? {} : { sessionAffinityConfig: { clientIP: { timeoutSeconds } } }),
      internalTrafficPolicy: merged.internalTrafficPolicy,
      ...(merged.trafficDistribution === undefined ? {} : { trafficDistribution: merged.trafficDistribution }),
    },
  };
}

export type PublishedAddresses = Pick<Published, 'ips' | 'ipFamilies' | 'annotations'>;

/** Of somebody else's ServiceImport only the addresses are ours (IMP-08): the rest of `spec` is what its owner declares. */
export function desiredRequestedImport(
  merged: MergedImport,
  published: PublishedAddresses,
  uid: string,
): Applied<'ServiceImport'> {
  return {
    apiVersion: 'multicluster.x-k8s.io/v1beta1',
    kind: 'ServiceImport',
    metadata: { ...merged.key, uid },
    spec: desiredAddresses(merged, published) as NonNullable<Applied<'ServiceImport'>['spec']>,
  };
}

/** CRD-10: a headless import has no addresses. Both lists come with one write (IMP-22). */
function desiredAddresses({ type }: MergedImport, { ips, ipFamilies }: PublishedAddresses) {
  return { ips: type === 'Headless' ? [] : [...ips], ipFamilies: [...ipFamilies] };
}

/** The exporting clusters, once each (IMP-26). */
export function desiredClusters(merged: MergedImport): { cluster: string }[] {
  const peers = new Set(merged.sources.map(({ peer }) => peer));
  return [...peers].sort(compareText).map((cluster) => ({ cluster }));
}

/**
 * Whether the endpoints controller writes MCS slices for the import (CRD-17, EPS-08): in Kubernetes alone, for a clusterset IP, and
 * for ports that gateways carry. A served CRD that is older than the field goes without: the store leaves it out (CRD-18).
 */
export function desiredSliceObjects(
  { type, sources }: Pick<MergedImport, 'sources' | 'type'>,
  { ips, targetPorts }: Pick<Published, 'ips' | 'targetPorts'>,
): 'Absent' | 'Present' {
  if (type === 'Headless' || ips.length === 0 || targetPorts.size === 0) return 'Absent';
  const isServed = sources.some(({ ports }) => ports.some(({ protocol }) => SERVED_PROTOCOLS.includes(protocol)));
  return isServed ? 'Present' : 'Absent';
}

function listPorts(ports: MergedImport['ports']): string {
  const named = ports
    .slice(0, LISTED_PORTS_MAX)
    .map(({ name, protocol, port }) => `${name} ${protocol}/${port}`.trim());
  return named.join(', ') + (ports.length > named.length ? ` and ${ports.length - named.length} more` : '');
}

/** `PortsServed`, only while it is False: ports that are carried in every object, and that no connection can use yet. */
export function desiredPortsCondition(
  { ports, type }: Pick<MergedImport, 'ports' | 'type'>,
  { targetPorts }: Pick<Published, 'targetPorts'>,
): ConditionDraft[] {
  if (type === 'Headless') return [];
  const draft = (reason: string, message: string): ConditionDraft[] => [
    { type: 'PortsServed', status: 'False', reason, message },
  ];
  const unserved = ports.filter(({ protocol }) => !SERVED_PROTOCOLS.includes(protocol));
  if (unserved.length > 0) {
    return draft(
      'ProtocolNotServed',
      `Gateways carry ${SERVED_PROTOCOLS.join(', ')} only, not: ${listPorts(unserved)}.`,
    );
  }
  const homeless = targetPorts.size === 0 ? [] : ports.filter((port) => !targetPorts.has(portId(port)));
  return homeless.length === 0
    ? []
    : draft('NoTargetPort', `Gateways have no port left on which to listen for: ${listPorts(homeless)}.`);
}
