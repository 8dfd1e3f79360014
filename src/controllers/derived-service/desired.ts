/**
 * The Services of one import in Kubernetes: pure.
 *
 * The derived one lies in the system namespace and gives the clusterset IP; with `into.service` there is another of the
 * import's own name in its namespace. Neither has a selector: the endpoints controller says which gateways stand behind
 * them. Gateways do affinity and traffic policy themselves (DESIGN §7), so kube-proxy does none.
 */
import type { Applied } from '../../api/applied.ts';
import type { IService } from '../../api/generated/Service.ts';
import { ANNOTATIONS, LABELS, MANAGED_BY, SYSTEM_NAMESPACE } from '../../api/names.ts';
import { formatKey, parseKey, type ObjectKey } from '../../api/object.ts';
import { portId } from '../import/home.ts';
import { derivedServiceName } from './name.ts';
import { appProtocolOf, servicePortNames, type ImportPort } from './ports.ts';
import { isTargetPort, type TargetPorts } from './target-ports.ts';

/** Of a ServiceImport: the name of its derived Service, as other implementations write it too (IMP-29). */
export const DERIVED_SERVICE_ANNOTATION = 'multicluster.kubernetes.io/derived-service';

export interface ServiceInput {
  readonly key: ObjectKey;
  readonly ports: readonly ImportPort[];
  /** Ports without one are left out. */
  readonly targetPorts: TargetPorts;
}

export interface DerivedServiceInput extends ServiceInput {
  /** What its annotation says of target ports that were given up. */
  readonly restingPorts: string | undefined;
  /** Addresses that it had before it was lost; empty: the API server chooses. */
  readonly askedIps: readonly string[];
}

export function derivedServiceKey(key: ObjectKey): ObjectKey {
  return { namespace: SYSTEM_NAMESPACE, name: derivedServiceName(key) };
}

export function desiredDerivedService({ restingPorts, askedIps, ...input }: DerivedServiceInput): Applied<'Service'> {
  const [clusterIP] = askedIps;
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      ...derivedServiceKey(input.key),
      labels: labelsOf(input.key),
      annotations: {
        [ANNOTATIONS.import]: formatKey(input.key),
        ...(restingPorts === undefined ? {} : { [ANNOTATIONS.restingPorts]: restingPorts }),
      },
    },
    spec: { ...specOf(input), ...(clusterIP === undefined ? {} : { clusterIP, clusterIPs: [...askedIps] }) },
  };
}

/** An ordinary Service of the import's name, for clients that know no other zone than the cluster's. */
export function desiredNamedService(input: ServiceInput): Applied<'Service'> {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { ...input.key, labels: labelsOf(input.key) },
    spec: specOf(input),
  };
}

/** A derived Service as it is, and since when nobody needs it. */
export function desiredRetiredService(present: IService, now: string): Applied<'Service'> {
  const { metadata, spec } = present;
  const key = derivedFor(present) ?? { namespace: '', name: '' };
  const resting = metadata?.annotations?.[ANNOTATIONS.restingPorts];
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      namespace: metadata?.namespace ?? '',
      name: metadata?.name ?? '',
      labels: labelsOf(key),
      annotations: {
        [ANNOTATIONS.import]: formatKey(key),
        ...(resting === undefined ? {} : { [ANNOTATIONS.restingPorts]: resting }),
        [ANNOTATIONS.unusedSince]: now,
      },
    },
    spec: {
      ...COMMON_SPEC,
      ports: (spec?.ports ?? []).map(({ name, protocol, port, targetPort, appProtocol }) => ({
        ...(name === undefined ? {} : { name }),
        ...(protocol === undefined ? {} : { protocol }),
        port,
        ...(targetPort === undefined ? {} : { targetPort }),
        ...(appProtocol === undefined ? {} : { appProtocol }),
      })),
    },
  };
}

/** Whose Service it is, if this product made it for an import. */
export function importKeyOf({ metadata }: Pick<IService, 'metadata'>): ObjectKey | undefined {
  const labels = metadata?.labels ?? {};
  const namespace = labels[LABELS.importNamespace] ?? '';
  const name = labels[LABELS.importName] ?? '';
  if (labels[LABELS.managedBy] !== MANAGED_BY || namespace === '' || name === '') return undefined;
  return { namespace, name };
}

/** Whether it is the ordinary Service that this product made of this import. */
export function isNamedByUs(service: Pick<IService, 'metadata'>, key: ObjectKey): boolean {
  const owner = importKeyOf(service);
  return owner !== undefined && formatKey(owner) === formatKey(key);
}

/**
 * Whose derived Service it is. Whoever edits its labels or its annotation by hand does not change that: its name is made of
 * the import's, and one of the two says still which.
 */
export function derivedFor(service: IService): ObjectKey | undefined {
  const { metadata } = service;
  if (metadata?.namespace !== SYSTEM_NAMESPACE) return undefined;
  const said = [parseKey(metadata.annotations?.[ANNOTATIONS.import] ?? ''), importKeyOf(service)];
  return said.find((key) => key !== undefined && derivedServiceName(key) === metadata.name);
}

export function targetPortsOf({ spec }: IService): TargetPorts {
  return new Map(
    (spec?.ports ?? []).flatMap(({ protocol = 'TCP', port, targetPort }) =>
      isTargetPort(targetPort) ? [[portId({ protocol, port }), targetPort] as const] : [],
    ),
  );
}

/** As the API server gave them, in matching order (CRD-09); undefined while it gave none. */
export function addressesOf({
  spec,
}: IService): { readonly ips: readonly string[]; readonly ipFamilies: readonly ('IPv4' | 'IPv6')[] } | undefined {
  const { clusterIP = '', clusterIPs = [clusterIP] } = spec ?? {};
  const ips = clusterIPs.filter((ip) => ip !== '' && ip !== 'None');
  if (ips.length === 0) return undefined;
  return { ips, ipFamilies: ips.map((ip) => (ip.includes(':') ? 'IPv6' : 'IPv4')) };
}

/**
 * What apply cannot put back, since it is another manager's: a selector, which would bring endpoints of somebody else;
 * a port or an external address; no address.
 */
export function isBeyondRepair({ spec = {} }: IService, desired: Applied<'Service'>): boolean {
  const wanted = new Set((desired.spec?.ports ?? []).map(({ protocol = 'TCP', port }) => portId({ protocol, port })));
  return (
    Object.keys(spec.selector ?? {}).length > 0 ||
    (spec.externalIPs ?? []).length > 0 ||
    spec.clusterIP === 'None' ||
    (spec.ports ?? []).some(({ protocol = 'TCP', port }) => !wanted.has(portId({ protocol, port })))
  );
}

const COMMON_SPEC = {
  type: 'ClusterIP',
  ipFamilyPolicy: 'PreferDualStack',
  sessionAffinity: 'None',
  internalTrafficPolicy: 'Cluster',
} as const;

function specOf({ ports, targetPorts }: ServiceInput): NonNullable<Applied<'Service'>['spec']> {
  const names = servicePortNames(ports);
  return {
    ...COMMON_SPEC,
    ports: ports.flatMap((port, index) => {
      const targetPort = targetPorts.get(portId(port));
      if (targetPort === undefined) return [];
      const name = names[index] ?? '';
      return [
        {
          ...(name === '' ? {} : { name }),
          protocol: port.protocol,
          port: port.port,
          targetPort,
          ...appProtocolOf(port),
        },
      ];
    }),
  };
}

function labelsOf({ namespace, name }: ObjectKey): Record<string, string> {
  return { [LABELS.managedBy]: MANAGED_BY, [LABELS.importNamespace]: namespace, [LABELS.importName]: name };
}
