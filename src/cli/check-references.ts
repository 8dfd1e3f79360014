/** What is wrong between objects that are right each by itself. Pure. */
import { ATTRIBUTES } from '../api/names.ts';
import { describeObject, formatKey, keyOf, type ObjectKey } from '../api/object.ts';
import { backingOf } from '../catalogue/backing.ts';
import { policyProblems } from '../api/validation/policy.ts';
import { matchSelector, type Selector } from '../policy/selector.ts';
import type { Attributes } from '../policy/types.ts';
import type { ManifestFile, ManifestObject, Problem } from '../store/directory/manifest.ts';
import { ofKind, warningAt, type Found } from './check-found.ts';
import { checkImports } from './check-imports.ts';
import { checkRuleTargets, importNamespaces } from './check-rules.ts';

export type Rejected = ManifestFile['rejected'][number];
type AnyPolicy = Found<'AccessPolicy' | 'PrivilegedAccessPolicy' | 'BaselineAccessPolicy'>;

/** @param rejected - objects that are there, and wrong: what refers to them is right. */
export function checkReferences(objects: readonly ManifestObject[], rejected: readonly Rejected[]): Problem[] {
  const { distinct, problems } = splitDuplicates(objects);
  return [
    ...problems,
    ...checkExportedServices(distinct, rejected),
    ...checkExportNames(distinct),
    ...checkRuleTargets(ofKind(distinct, 'ClusterImportRule'), ofKind(distinct, 'ImportRule')),
    ...checkImports(ofKind(distinct, 'Import'), ofKind(distinct, 'ServiceImport')),
    ...checkPolicyNamespaces(distinct),
    ...checkAdmission(distinct),
  ];
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
  const exported = ofExports(objects).flatMap(({ object, at }) => {
    const backing = backingOf(object);
    return backing.kind === 'service' ? [{ object, at, service: formatKey(backing.service) }] : [];
  });
  return exported
    .filter(({ service }) => !services.has(service))
    .map(({ object, at, service }) => {
      const message = `exports Service ${service}, which is in none of these files`;
      return warningAt(at, {
        message,
        fix: `Add the Service, or give the ${object.kind} the name of one that is there.`,
      });
    });
}

/** Both kinds of exports are told of alike. */
function ofExports(objects: readonly ManifestObject[]): Found<'ServiceExport' | 'Export'>[] {
  return [...ofKind(objects, 'ServiceExport'), ...ofKind(objects, 'Export')];
}

/** Of two exports of one name the ServiceExport counts, whatever their order. */
function checkExportNames(objects: readonly ManifestObject[]): Problem[] {
  const taken = new Set(ofKind(objects, 'ServiceExport').map(({ object }) => formatKey(keyOf(object))));
  return ofKind(objects, 'Export')
    .filter(({ object }) => taken.has(formatKey(keyOf(object))))
    .map(({ object, at }) => {
      const message = `is not offered: ServiceExport ${formatKey(keyOf(object))} has this name and counts`;
      return warningAt(at, { message, fix: 'Delete one of the two, or rename the Export.' });
    });
}

/** An AccessPolicy counts for the exports and the imports of its own namespace. */
function checkPolicyNamespaces(objects: readonly ManifestObject[]): Problem[] {
  const imported = importNamespaces(ofKind(objects, 'ClusterImportRule'), ofKind(objects, 'ImportRule'));
  if (imported === 'any') return [];
  const users = [...ofExports(objects), ...ofKind(objects, 'ServiceImport'), ...ofKind(objects, 'Import')];
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
  return ofExports(objects).flatMap(({ object, at }) => {
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
