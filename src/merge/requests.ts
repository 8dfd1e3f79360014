/** ServiceImports of others: what they ask for, and which rule and export answers them (DESIGN §5). */
import type { IServiceImport } from '../api/generated/ServiceImport.ts';
import { isEarlyDataOff } from '../api/early-data.ts';
import { ANNOTATIONS, isLabel, MANAGED_BY, LABELS } from '../api/names.ts';
import { compareText, formatKey, keyOf } from '../api/object.ts';
import { formatPath } from '../api/validation/finding.ts';
import { ourAnnotationProblems } from '../api/validation/our-annotations.ts';
import type { ImportRequest, MergedImport, UnmetRequest } from './types.ts';

/** Whether this product made it; objects of others are requests. */
export function isOurImport(object: IServiceImport): boolean {
  return object.metadata?.labels?.[LABELS.managedBy] === MANAGED_BY;
}

export function toRequest(object: IServiceImport): ImportRequest {
  const { metadata, spec } = object;
  const key = keyOf(object);
  const type = spec?.type ?? 'ClusterSetIP';
  // The CRD checks no value (CRD-14): what makes no sense as a port cannot be among those of an export, and filters all.
  const ports = (spec?.ports ?? []).map(({ protocol = '', port }) => ({ protocol: protocol || 'TCP', port }));
  if (metadata?.deletionTimestamp !== undefined) return { key, type, ports, problem: 'It is being deleted.' };
  const [finding] = ourAnnotationProblems('ServiceImport', { metadata });
  if (finding !== undefined) {
    const problem = `${formatPath(finding.path)}: ${finding.message}. Fix: ${finding.fix}`;
    return { key, type, ports, problem };
  }
  if (!isLabel(key.name)) {
    return { key, type, ports, problem: 'Its name is not an RFC 1123 label, and becomes one of a DNS name.' };
  }
  const text = metadata?.annotations?.[ANNOTATIONS.sources];
  return {
    ...{ key, type, ports },
    ...(text === undefined ? {} : { sources: [...new Set(text.split(',').map((source) => source.trim()))] }),
    ...(isEarlyDataOff(metadata) ? { earlyData: 'Off' as const } : {}),
  };
}

export interface RequestIndex {
  /** Every name that a ServiceImport of somebody else has. */
  has(name: string): boolean;
  /** Requests in a namespace that an export answers: those that name it, and the one that has the name the rule gives it. */
  answeredBy(answer: { namespace: string; source: string; name: string | undefined }): readonly ImportRequest[];
  get(name: string): ImportRequest | undefined;
}

export function indexRequests(requests: readonly ImportRequest[]): RequestIndex {
  const byName = new Map(requests.map((request) => [formatKey(request.key), request]));
  const bySource = Map.groupBy(
    requests.flatMap((request) =>
      request.problem === undefined ? (request.sources ?? []).map((source) => ({ source, request })) : [],
    ),
    ({ source, request }) => `${request.key.namespace}/${source}`,
  );
  return {
    has: (name) => byName.has(name),
    get: (name) => byName.get(name),
    answeredBy({ namespace, source, name }) {
      const named = (bySource.get(`${namespace}/${source}`) ?? []).map(({ request }) => request);
      const alike = name === undefined ? undefined : byName.get(formatKey({ namespace, name }));
      const isAsking = alike !== undefined && alike.sources === undefined && alike.problem === undefined;
      return isAsking ? [...named, alike] : named;
    },
  };
}

/** What the rule grants, as the request wants it: with early data only where both let it be. */
export function answerRequest(merged: MergedImport, request: ImportRequest): MergedImport {
  const { earlyData } = request;
  return { ...narrowPorts(merged, request), ...(earlyData === undefined ? {} : { earlyData }), requested: true };
}

/** Only the ports that the request declares, by protocol and number: names are the exporter's. */
function narrowPorts(merged: MergedImport, { ports }: ImportRequest): MergedImport {
  if (ports.length === 0) return merged;
  const declared = new Set(ports.map(numberOf));
  const isDeclared = (port: { readonly protocol: string; readonly port: number }): boolean =>
    declared.has(numberOf(port));
  return {
    ...merged,
    ports: merged.ports.filter(isDeclared),
    sources: merged.sources.map((source) => ({ ...source, ports: source.ports.filter(isDeclared) })),
  };
}

export interface UnmetInput {
  readonly requests: readonly ImportRequest[];
  /** `namespace/name` of the imports that there are. */
  readonly met: ReadonlySet<string>;
  /** Whether a rule of mode Requested has the namespace as its space. */
  readonly isCovered: (request: ImportRequest) => boolean;
}

/** Why each of the others stays as it is: told by an event, since nothing is written into what is not ours. */
export function findUnmet({ requests, met, isCovered }: UnmetInput): UnmetRequest[] {
  return requests
    .filter(({ key }) => !met.has(formatKey(key)))
    .map((request) => ({ key: request.key, ...explain(request, isCovered(request)) }))
    .sort((a, b) => compareText(a.key.namespace, b.key.namespace) || compareText(a.key.name, b.key.name));
}

function explain({ key, problem, sources }: ImportRequest, isCovered: boolean): Omit<UnmetRequest, 'key'> {
  if (problem !== undefined) return { reason: 'InvalidRequest', message: problem };
  if (!isCovered) {
    return {
      reason: 'NoRule',
      message: `No import rule of mode Requested covers namespace ${key.namespace}, so this ServiceImport stays as it is. Fix: make an ImportRule with mode: Requested there, or delete this object and let a rule make it.`,
    };
  }
  const wish = sources === undefined ? `an export that would be named ${key.name} here` : sources.join(', ');
  return {
    reason: 'NothingGranted',
    message: `No rule of mode Requested grants ${wish}. Fix: name exports that its rules select, in ${ANNOTATIONS.sources}; the status of each rule says what it skips and why.`,
  };
}

function numberOf({ protocol, port }: { readonly protocol: string; readonly port: number }): string {
  return `${protocol}/${port}`;
}
