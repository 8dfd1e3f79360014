/** Names, labels and annotations: what every kind shares. */
import { KINDS, type KindName } from '../kinds.ts';
import { isLabel, isSubdomain, SYSTEM_NAMESPACE } from '../names.ts';
import { below, type Finding } from './finding.ts';
import { mapAt, textAt, valueAt, type JsonObject } from './json.ts';
import { annotationProblems, labelProblems } from './labels.ts';
import { quote } from './quote.ts';

/** Their names become labels of DNS names (DNS-03), or are one in a certificate. */
const NAMED_BY_LABEL: readonly KindName[] = ['Peer', 'Service', 'ServiceExport', 'ServiceImport', 'Export'];
const LABEL_RULE = 'at most 63 of a-z, 0-9 and "-", with a letter or digit at both ends';
const SUBDOMAIN_RULE = 'lower-case letters, digits, "-" and ".", at most 253, with a letter or digit at both ends';

export function metadataProblems(kind: KindName, object: JsonObject): Finding[] {
  const metadata = mapAt(object, 'metadata');
  return below(
    ['metadata'],
    [
      ...nameProblems(kind, textAt(metadata, 'name')),
      ...namespaceProblems(kind, valueAt(metadata, 'namespace')),
      ...below(['labels'], labelProblems(metadata['labels'])),
      ...below(['annotations'], annotationProblems(metadata['annotations'])),
    ],
  );
}

function nameProblems(kind: KindName, name: string | undefined): Finding[] {
  if (name === undefined) return [];
  const isLabelNeeded = NAMED_BY_LABEL.includes(kind);
  if (isLabelNeeded ? isLabel(name) : isSubdomain(name)) return [];
  const what = isLabelNeeded ? 'an RFC 1123 label' : 'a DNS subdomain name (RFC 1123)';
  const fix = `Use ${isLabelNeeded ? LABEL_RULE : SUBDOMAIN_RULE}.`;
  return [{ path: ['name'], message: `must be ${what}, is ${quote(name)}`, fix }];
}

function namespaceProblems(kind: KindName, namespace: unknown): Finding[] {
  const path = ['namespace'];
  if (!KINDS[kind].namespaced) {
    if (namespace === undefined) return [];
    return [{ path, message: `a ${kind} belongs to no namespace`, fix: 'Delete the line.' }];
  }
  if (namespace === undefined) {
    return [{ path, message: 'is missing', fix: `Say to which namespace this ${kind} belongs.` }];
  }
  if (typeof namespace !== 'string') return [];
  if (!isLabel(namespace)) {
    return [{ path, message: `must be an RFC 1123 label, is ${quote(namespace)}`, fix: `Use ${LABEL_RULE}.` }];
  }
  if (kind !== 'Peer' || namespace === SYSTEM_NAMESPACE) return [];
  const message = `a Peer counts in namespace ${SYSTEM_NAMESPACE} only, is in ${quote(namespace)}`;
  return [{ path, message, fix: `Use ${SYSTEM_NAMESPACE}.` }];
}
