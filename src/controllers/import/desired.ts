/** The objects of one import, from what the merge made of rules and records: pure. */
import type { ConditionDraft } from '../../api/conditions.ts';
import type { ImportBindingStatus } from '../../api/generated/ImportBinding.ts';
import { LABELS, MANAGED_BY, SYSTEM_NAMESPACE } from '../../api/names.ts';
import { compareText, type ObjectKey } from '../../api/object.ts';
import { formatSource } from '../../api/record.ts';
import type { ConstituentVerdict, MergedImport } from '../../merge/types.ts';
import type { Applied } from '../../api/applied.ts';

const managed = { [LABELS.managedBy]: MANAGED_BY };

/** `<name>.<namespace>`: both are labels, so the name fits and can be read back. */
export function bindingName({ namespace, name }: ObjectKey): string {
  return `${name}.${namespace}`;
}

export function desiredBinding(
  merged: MergedImport,
  ips: readonly string[],
  verdicts: readonly ConstituentVerdict[],
): Applied<'ImportBinding'> {
  return {
    apiVersion: 'mcs.clusterlink.net/v1alpha1',
    kind: 'ImportBinding',
    metadata: { namespace: SYSTEM_NAMESPACE, name: bindingName(merged.key), labels: managed },
    spec: {
      import: { ...merged.key },
      owner: { ...merged.owner },
      type: merged.type,
      ips: [...ips],
      ipFamilies: [...merged.ipFamilies],
      ports: [...merged.ports],
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
      labels: { ...merged.labels },
    },
  };
}

/** Every field that the KEP has is written out: the CRD defaults nothing (CRD-06, CRD-07). */
export function desiredServiceImport(merged: MergedImport, ips: readonly string[]): Applied<'ServiceImport'> {
  const timeoutSeconds = merged.sessionAffinityTimeoutSeconds;
  return {
    apiVersion: 'multicluster.x-k8s.io/v1beta1',
    kind: 'ServiceImport',
    metadata: { ...merged.key, labels: { ...merged.labels, ...managed }, annotations: { ...merged.annotations } },
    spec: {
      type: merged.type,
      ports: merged.ports.map(({ name, protocol, port, appProtocol }) => ({
        name,
        protocol,
        port,
        ...(appProtocol === undefined ? {} : { appProtocol }),
      })),
      // CRD-10: a headless import has no addresses.
      ips: merged.type === 'Headless' ? [] : [...ips],
      ipFamilies: [...merged.ipFamilies],
      sessionAffinity: merged.sessionAffinity,
      ...(timeoutSeconds === undefined ? {} : { sessionAffinityConfig: { clientIP: { timeoutSeconds } } }),
      internalTrafficPolicy: merged.internalTrafficPolicy,
      ...(merged.trafficDistribution === undefined ? {} : { trafficDistribution: merged.trafficDistribution }),
    },
  };
}

/** The exporting clusters, once each (IMP-26). */
export function desiredClusters(merged: MergedImport): { cluster: string }[] {
  const peers = new Set(merged.sources.map(({ peer }) => peer));
  return [...peers].sort(compareText).map((cluster) => ({ cluster }));
}

export interface ReadinessInput {
  readonly merged: MergedImport;
  readonly ips: readonly string[];
  /** What the gateway last said of the binding. */
  readonly observed: ImportBindingStatus | undefined;
}

/** Truthful readiness (DESIGN §3.9): True only while a source can be used; names the sources that are away. */
export function desiredImportCondition({ merged, ips, observed }: ReadinessInput): ConditionDraft {
  const ready = (status: ConditionDraft['status'], reason: string, message: string): ConditionDraft => ({
    type: 'Ready',
    status,
    reason,
    message,
  });
  if (merged.type === 'Headless') {
    return ready('False', 'HeadlessNotServed', 'Headless imports are recorded, and not yet served by the gateway.');
  }
  if (merged.ipFamilies.length === 0 || !merged.ipFamilies.includes('IPv4')) {
    return ready(
      'False',
      'IPFamilyNotSupported',
      'The exports have no IP family in common that this peer can serve (IPv4).',
    );
  }
  if (ips.length === 0)
    return ready(
      'False',
      'NoAddress',
      'The address pool of this peer is used up. Fix: configure a larger "vips" range.',
    );
  if (observed?.sources === undefined)
    return ready('Unknown', 'Pending', 'The gateway has not looked at this import yet.');
  const away = observed.sources.filter(({ usable }) => !usable);
  const awayText = away.map((source) => `${formatSource(source)} is away (${source.reason ?? 'unknown'})`).join('; ');
  if (away.length === observed.sources.length)
    return ready('False', 'NoUsableSource', awayText || 'No export backs this import.');
  const failed = (observed.listeners ?? []).filter(({ state }) => state === 'Failed');
  if (failed.length > 0) {
    return ready(
      'False',
      'ListenerFailed',
      failed.map(({ port, message }) => `port ${port}: ${message ?? 'cannot listen'}`).join('; '),
    );
  }
  return ready('True', 'Ready', awayText);
}
