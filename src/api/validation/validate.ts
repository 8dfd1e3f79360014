/** Everything that is wrong with one object: its schema, and the rules that schemas cannot say. */
import type { KindName } from '../kinds.ts';
import { ANNOTATIONS } from '../names.ts';
import { schemaErrors } from '../schema.ts';
import { clusterImportRuleProblems, importRuleProblems } from './import-rule.ts';
import { endpointSliceProblems, endpointSliceWarnings } from './endpoint-slice.ts';
import { exportProblems } from './export.ts';
import { importProblems, importWarnings } from './import.ts';
import { below, firstOfEachPath, formatPath, type Finding } from './finding.ts';
import { isMap, valueAt, type JsonObject } from './json.ts';
import { PROBLEMS_PER_OBJECT_MAX } from './limits.ts';
import { metadataProblems } from './metadata.ts';
import { ourAnnotationProblems } from './our-annotations.ts';
import { peerProblems } from './peer.ts';
import { policyProblems, policyWarnings } from './policy.ts';
import { serviceExportProblems, serviceImportProblems, serviceImportWarnings } from './service.ts';
import { serviceProblems, serviceWarnings } from './service.ts';

export interface ObjectProblem extends Finding {
  readonly severity: 'error' | 'warning';
  /** True: the object enters a store all the same. False: it is refused, and what was there before stays. */
  readonly admits: boolean;
}

interface KindRules {
  readonly problems?: (object: JsonObject) => Finding[];
  readonly warnings?: (object: JsonObject) => Finding[];
}

const POLICY_RULES: KindRules = {
  problems: (object) => below(['spec'], policyProblems(object['spec'])),
  warnings: (object) => below(['spec'], policyWarnings(object['spec'])),
};

const RULES: Readonly<Record<KindName, KindRules>> = {
  Namespace: {},
  Node: {},
  Pod: {},
  ClusterProperty: {},
  Service: { problems: serviceProblems, warnings: serviceWarnings },
  EndpointSlice: { problems: endpointSliceProblems, warnings: endpointSliceWarnings },
  ServiceExport: { problems: serviceExportProblems },
  Export: { problems: exportProblems },
  ServiceImport: { problems: serviceImportProblems, warnings: serviceImportWarnings },
  Peer: { problems: peerProblems },
  Import: { problems: importProblems, warnings: importWarnings },
  AccessPolicy: POLICY_RULES,
  PrivilegedAccessPolicy: POLICY_RULES,
  BaselineAccessPolicy: POLICY_RULES,
  ImportRule: { problems: importRuleProblems },
  ClusterImportRule: { problems: clusterImportRuleProblems },
  PeerRecords: {},
  ImportBinding: {},
};

/**
 * What is wrong with an object of the stored version, one problem a field, refusals first; at most PROBLEMS_PER_OBJECT_MAX.
 * Never throws, whatever the object is.
 */
export function validateObject(kind: KindName, object: unknown): ObjectProblem[] {
  const map = isMap(object) ? object : {};
  const { problems, warnings } = RULES[kind];
  const errors = [
    ...schemaErrors(kind, object),
    ...metadataProblems(kind, map),
    ...ourAnnotationProblems(kind, map),
    ...(problems?.(map) ?? []),
  ].map((finding): ObjectProblem => ({ ...finding, severity: 'error', admits: admitsInvalid(kind, map, finding) }));
  const hints = (warnings?.(map) ?? []).map((finding): ObjectProblem => ({
    ...finding,
    severity: 'warning',
    admits: true,
  }));
  return firstOfEachPath([...errors, ...hints])
    .sort((a, b) => rankOf(a) - rankOf(b))
    .slice(0, PROBLEMS_PER_OBJECT_MAX);
}

/** What keeps an object out of a store, in the form in which stores say it. */
export function findRefusals(
  kind: KindName,
  object: unknown,
): { readonly field: string; readonly message: string; readonly fix: string }[] {
  return validateObject(kind, object)
    .filter(({ admits }) => !admits)
    .map(({ path, message, fix }) => ({ field: formatPath(path), message, fix }));
}

/**
 * A policy whose spec is wrong must be in force: a deny that was refused would deny nothing (DESIGN §5). The same holds for an
 * unknown annotation on anything but an allow; an allow with one is refused.
 *
 * A Peer whose roots cannot be read must be in force too: nobody vouches for it then. Refused, it would leave what was there
 * before, and that may be a Peer for which the fabric's roots vouch.
 */
function admitsInvalid(kind: KindName, object: JsonObject, { path }: Finding): boolean {
  const spec = object['spec'];
  const isAnnotation = path[0] === 'metadata' && path[1] === 'annotations' && path.length === 3;
  const isText = isAnnotation && typeof valueAt(object, ...path) === 'string';
  if (kind === 'Peer') return isText && path[2] === ANNOTATIONS.roots;
  if (RULES[kind] !== POLICY_RULES || !isMap(spec)) return false;
  return (path[0] === 'spec' && path.length > 1) || (isText && spec['action'] !== 'allow');
}

function rankOf({ severity, admits }: ObjectProblem): number {
  return admits ? (severity === 'error' ? 1 : 2) : 0;
}
