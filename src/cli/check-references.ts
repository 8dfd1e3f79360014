/** What is wrong between objects that are right each by itself. Pure. */
import type { KindMap, KindName } from '../api/kinds.ts';
import { ATTRIBUTES } from '../api/names.ts';
import { describeObject, formatKey, keyOf, type ObjectKey } from '../api/object.ts';
import { policyProblems } from '../api/validation/policy.ts';
import { matchSelector, type Selector } from '../policy/selector.ts';
import type { Attributes } from '../policy/types.ts';
import type { ManifestFile, ManifestObject, Problem } from '../store/directory/manifest.ts';
import { checkRuleTargets, importNamespaces } from './check-rules.ts';

export type Rejected = ManifestFile['rejected'][number];
type AnyPolicy = Found<'AccessPolicy' | 'PrivilegedAccessPolicy' | 'BaselineAccessPolicy'>;

/** @param rejected - objects that are there, and wrong: what refers to them is right. */
export function checkReferences(objects: readonly ManifestObject[], rejected: readonly Rejected[]): Problem[] {
  const { distinct, problems } = splitDuplicates(objects);
  return [
    ...problems,
    ...checkExportedServices(distinct, rejected),
    ...checkRuleTargets(ofKind(distinct, 'ClusterImportRule'), ofKind(distinct, 'ImportRule')),
    ...checkPolicyNamespaces(distinct),
    ...checkAdmission(distinct),
  ];
}

/** An object of a known kind, and where it stands. */
export interface Found<K extends KindName> {
  readonly object: KindMap[K];
  readonly at: ManifestObject;
}

export function ofKind<K extends KindName>(objects: readonly ManifestObject[], kind: K): Found<K>[] {
  // The schema of the kind has passed it.
  return objects.filter((at) => at.kind === kind).map((at) => ({ object: at.object as KindMap[K], at }));
}

export function warningAt(
  { object, file, line }: ManifestObject,
  words: Pick<Problem, 'field' | 'message' | 'fix'>,
): Problem {
  return { file, line, column: 1, object: describeObject(object), ...words, severity: 'warning' };
}

/** Of several documents of one object the first counts, in order of file and line. */
function splitDuplicates(objects: readonly ManifestObject[]): { distinct: ManifestObject[]; problems: Problem[] } {
  const first = new Map<string, ManifestObject>();
  const problems: Problem[] = [];
  for (const at of objects) {
    const name = describeObject(at.object);
    const present = first.get(name);
    if (present === undefined) first.set(name, at);
    else {
      const message = `is declared in ${present.file}:${present.line} already, which counts`;
      problems.push({ ...warningAt(at, { message, fix: 'Delete one of the two documents.' }), severity: 'error' });
    }
  }
  return { distinct: [...first.values()], problems };
}

function checkExportedServices(objects: readonly ManifestObject[], rejected: readonly Rejected[]): Problem[] {
  const wrong = rejected.filter(({ kind }) => kind === 'Service').map(({ key }) => formatKey(key));
  const services = new Set([...ofKind(objects, 'Service').map(({ object }) => formatKey(keyOf(object))), ...wrong]);
  return ofKind(objects, 'ServiceExport')
    .filter(({ object }) => !services.has(formatKey(keyOf(object))))
    .map(({ object, at }) => {
      const message = `exports Service ${formatKey(keyOf(object))}, which is in none of these files`;
      return warningAt(at, {
        message,
        fix: 'Add the Service, or give the ServiceExport the name of one that is there.',
      });
    });
}

/** An AccessPolicy counts for the exports and the imports of its own namespace. */
function checkPolicyNamespaces(objects: readonly ManifestObject[]): Problem[] {
  const imported = importNamespaces(ofKind(objects, 'ClusterImportRule'), ofKind(objects, 'ImportRule'));
  if (imported === 'any') return [];
  const users = [...ofKind(objects, 'ServiceExport'), ...ofKind(objects, 'ServiceImport')];
  const used = new Set([...imported, ...users.map(({ object }) => keyOf(object).namespace)]);
  return ofKind(objects, 'AccessPolicy')
    .filter(({ object }) => !used.has(keyOf(object).namespace))
    .map(({ object, at }) => {
      const message = `has no effect: namespace ${keyOf(object).namespace} has neither exports nor imports here`;
      const fix = 'Move it to the namespace of the export or of the import; a client is named in spec.from.';
      return warningAt(at, { field: 'metadata.namespace', message, fix });
    });
}

/** Default deny: an export that no allow could reach is offered to nobody. */
function checkAdmission(objects: readonly ManifestObject[]): Problem[] {
  const isAllow = ({ object: { spec } }: AnyPolicy): boolean =>
    spec.action === 'allow' && policyProblems(spec).length === 0;
  const clusterWide = [...ofKind(objects, 'PrivilegedAccessPolicy'), ...ofKind(objects, 'BaselineAccessPolicy')].filter(
    isAllow,
  );
  const regular = ofKind(objects, 'AccessPolicy').filter(isAllow);
  return ofKind(objects, 'ServiceExport').flatMap(({ object, at }) => {
    const { namespace, name } = keyOf(object);
    const own = regular.filter((policy) => keyOf(policy.object).namespace === namespace);
    const attributes = exportAttributes({ namespace, name }, object.metadata?.labels ?? {});
    if ([...clusterWide, ...own].some((policy) => couldReach(policy.object, attributes))) return [];
    const message = 'no policy in these files allows anybody to use it';
    const fix = `Add one, for example: npx clusterlink-mcs allow --namespace ${namespace} --export ${namespace}/${name}.`;
    return [warningAt(at, { message, fix })];
  });
}

/** What is certain about the end of a connection to this export; its peer's own name and labels are not in the manifests. */
function exportAttributes({ namespace, name }: ObjectKey, labels: Readonly<Record<string, string>>): Attributes {
  const known = Object.entries(labels).map(([key, value]) => [`${ATTRIBUTES.exportLabelPrefix}${key}`, value] as const);
  return {
    known: {
      ...Object.fromEntries(known),
      [ATTRIBUTES.exportNamespace]: namespace,
      [ATTRIBUTES.exportName]: name,
    },
    unknown: [ATTRIBUTES.peerName, ATTRIBUTES.peerLabelPrefix],
  };
}

function couldReach({ spec }: AnyPolicy['object'], attributes: Attributes): boolean {
  return spec.to.some(({ workloadSelector }) => {
    const selector: Selector | undefined = workloadSelector;
    return selector !== undefined && matchSelector(selector, attributes) !== 'no-match';
  });
}
