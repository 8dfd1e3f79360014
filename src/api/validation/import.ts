/** ClusterLink's Import: what its schema cannot say. */
import { isLabel, isSubdomain } from '../names.ts';
import { didYouMean, askWhether } from './did-you-mean.ts';
import type { Finding } from './finding.ts';
import { listAt, textAt, type JsonObject } from './json.ts';
import { quote } from './quote.ts';

/** What ClusterLink's controller knows; it crashes on anything else. */
export const LB_SCHEMES = ['round-robin', 'random', 'static'] as const;

export function importProblems(object: JsonObject): Finding[] {
  const name = textAt(object, 'metadata', 'name') ?? '';
  const findings = listAt(object, 'spec', 'sources').flatMap((source, index) => sourceProblems(source, index));
  if (name !== '' && !isLabel(name)) {
    const fix = 'Use at most 63 of a-z, 0-9 and "-", with a letter or digit at both ends: a Service gets this name.';
    findings.push({ path: ['metadata', 'name'], message: `must be an RFC 1123 label, is ${quote(name)}`, fix });
  }
  return findings;
}

/** They do no harm: the rest of the Import works, and its conditions say the same. */
export function importWarnings(object: JsonObject): Finding[] {
  const sources = listAt(object, 'spec', 'sources');
  return [...schemeWarnings(textAt(object, 'spec', 'lbScheme')), ...emptyWarnings(sources), ...twiceWarnings(sources)];
}

function sourceProblems(source: unknown, index: number): Finding[] {
  const at = (member: string): string[] => ['spec', 'sources', String(index), member];
  const [peer, name, namespace] = ['peer', 'exportName', 'exportNamespace'].map((member) => textAt(source, member));
  const findings: Finding[] = [];
  if (peer !== undefined && !isLabel(peer)) {
    const fix = 'Write the metadata.name of the Peer object.';
    findings.push({ path: at('peer'), message: `must be the name of a peer, is ${quote(peer)}`, fix });
  }
  if (name !== undefined && name !== '' && !isSubdomain(name)) {
    const fix = 'Write the name of the export, or <service>.<port name>; leave it empty for the name of this Import.';
    findings.push({ path: at('exportName'), message: `must be the name of an export, is ${quote(name)}`, fix });
  }
  if (namespace !== undefined && namespace !== '' && !isLabel(namespace)) {
    const fix = 'Write the namespace of the export there; leave it empty for the namespace of this Import.';
    findings.push({ path: at('exportNamespace'), message: `must be a namespace, is ${quote(namespace)}`, fix });
  }
  return findings;
}

function schemeWarnings(scheme: string | undefined): Finding[] {
  if (scheme === undefined || scheme === '' || LB_SCHEMES.some((known) => known === scheme)) return [];
  const meant = askWhether(didYouMean(scheme, LB_SCHEMES));
  const message = `must be one of ${LB_SCHEMES.join(', ')}, is ${quote(scheme)}${meant}; round-robin is used`;
  return [{ path: ['spec', 'lbScheme'], message, fix: `Use one of ${LB_SCHEMES.join(', ')}.` }];
}

function emptyWarnings(sources: readonly unknown[]): Finding[] {
  if (sources.length > 0) return [];
  const message = 'is empty: every connection will be refused';
  return [{ path: ['spec', 'sources'], message, fix: 'List the exports that may serve it.' }];
}

function twiceWarnings(sources: readonly unknown[]): Finding[] {
  const first = new Map<string, number>();
  return sources.flatMap((source, index) => {
    const parts = ['peer', 'exportNamespace', 'exportName'].map((member) => textAt(source, member) ?? '');
    const text = parts.join('/');
    const before = first.get(text);
    if (before === undefined) {
      first.set(text, index);
      return [];
    }
    const message = `is the same as sources[${before}], which counts once`;
    return [{ path: ['spec', 'sources', String(index)], message, fix: 'Delete one of the two.' }];
  });
}
