/** The properties on which the exports of one import can disagree, in the order of CFL-12 (KEP-1645; mcs-api.md §4.2). */
import type { ExportRecord } from '../api/record.ts';
import type { Candidate } from './candidate.ts';
import type { ImportedMetadata } from './metadata.ts';
import { MESSAGE_ITEMS_MAX } from './limits.ts';
import { missingPorts } from './ports.ts';
import type { MergedImport } from './types.ts';

/** What the import made of its exports: what each of them is compared with. */
export interface Outcome {
  readonly merged: MergedImport;
  readonly overruledFamilies: ReadonlySet<Candidate>;
  readonly metadataOf: (candidate: Candidate) => ImportedMetadata;
}

/** `overruled`: the import does not have this export's value. `differs`: it has it, and more. */
export type Stance = 'agrees' | 'differs' | 'overruled';

export interface Property {
  readonly reason: string;
  readonly title: string;
  stanceOf(candidate: Candidate, outcome: Outcome): Stance;
  /** Made of all exports, not taken from one. */
  readonly isUnited?: true;
  /** What is used, for people: words of ours and of Kubernetes only, never a text that a peer chose freely. */
  used(outcome: Outcome): string;
  /** What of this export is not used, for its owner. */
  lost?(candidate: Candidate, outcome: Outcome): string;
}

export const PROPERTIES: readonly Property[] = [
  {
    reason: 'TypeConflict',
    title: 'Type',
    stanceOf: ({ record }, { merged }) => agreeIf(record.type === merged.type),
    used: ({ merged }) => merged.type,
  },
  {
    reason: 'PortConflict',
    title: 'Ports',
    isUnited: true,
    stanceOf: ({ record }, { merged }) => {
      if (missingPorts(record.ports, merged.ports).length > 0) return 'overruled';
      return missingPorts(merged.ports, record.ports).length > 0 ? 'differs' : 'agrees';
    },
    used: () => 'the union, what is in use and then what is older first',
    lost: ({ record }, { merged }) => describePorts(missingPorts(record.ports, merged.ports)),
  },
  {
    reason: 'IPFamilyConflict',
    title: 'IP families',
    isUnited: true,
    stanceOf: (candidate, { overruledFamilies }) => agreeIf(!overruledFamilies.has(candidate)),
    used: ({ merged }) => merged.ipFamilies.join(','),
  },
  {
    reason: 'SessionAffinityConflict',
    title: 'Session affinity',
    stanceOf: ({ record }, { merged }) => agreeIf(affinityOf(record) === merged.sessionAffinity),
    used: ({ merged }) => merged.sessionAffinity,
  },
  {
    reason: 'SessionAffinityConfigConflict',
    title: 'Session affinity timeout',
    stanceOf: ({ record }, { merged }) => agreeIf(timeoutSecondsOf(record) === merged.sessionAffinityTimeoutSeconds),
    used: ({ merged: { sessionAffinityTimeoutSeconds: seconds } }) => (seconds === undefined ? 'none' : `${seconds} s`),
  },
  {
    reason: 'InternalTrafficPolicyConflict',
    title: 'Internal traffic policy',
    stanceOf: ({ record }, { merged }) => agreeIf(trafficPolicyOf(record) === merged.internalTrafficPolicy),
    used: ({ merged }) => merged.internalTrafficPolicy,
  },
  {
    reason: 'TrafficDistributionConflict',
    title: 'Traffic distribution',
    stanceOf: ({ record }, { merged }) => agreeIf(record.trafficDistribution === merged.trafficDistribution),
    used: () => 'the value',
  },
  {
    reason: 'LabelsConflict',
    title: 'Labels',
    stanceOf: (candidate, { merged, metadataOf }) => agreeIf(isSameMap(metadataOf(candidate).labels, merged.labels)),
    used: () => 'those',
  },
  {
    reason: 'AnnotationsConflict',
    title: 'Annotations',
    stanceOf: (candidate, { merged, metadataOf }) =>
      agreeIf(isSameMap(metadataOf(candidate).annotations, merged.annotations)),
    used: () => 'those',
  },
];

export function affinityOf({ sessionAffinity = 'None' }: ExportRecord): 'None' | 'ClientIP' {
  return sessionAffinity;
}

/** Without affinity there is nothing that a time could limit. */
export function timeoutSecondsOf(record: ExportRecord): number | undefined {
  return affinityOf(record) === 'ClientIP' ? record.sessionAffinityTimeoutSeconds : undefined;
}

export function trafficPolicyOf({ internalTrafficPolicy = 'Cluster' }: ExportRecord): 'Cluster' | 'Local' {
  return internalTrafficPolicy;
}

function agreeIf(isSame: boolean): Stance {
  return isSame ? 'agrees' : 'overruled';
}

function describePorts(ports: ExportRecord['ports']): string {
  const listed = ports
    .slice(0, MESSAGE_ITEMS_MAX)
    .map(({ name, protocol, port }) => `${name} ${protocol}/${port}`.trim());
  const rest = ports.length - listed.length;
  return listed.join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}

/** Both come sorted by key out of {@link ImportedMetadata}. */
function isSameMap(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
