/** What `check dns` says, and how it is printed. Pure. */
import { stringify } from 'yaml';
import { describeObject, type KubeObject } from '../../api/object.ts';
import { formatData, formatTable, sanitize, type Output } from '../output.ts';

/** docs/DNS.md has a row for each. */
export const FINDING_CODES = [
  'Answered',
  'CacheTooLong',
  'ClientsNotAnswered',
  'ClientsUnknown',
  'ClusterDnsUnknown',
  'CorefileUnreadable',
  'Disagrees',
  'MulticlusterForbidden',
  'MulticlusterUnknown',
  'NoName',
  'NoReadyEndpoint',
  'NodeLocalElsewhere',
  'NodeLocalNotWired',
  'NotAnswered',
  'NotInstalled',
  'NotWired',
  'ResolverSilent',
  'ResponderSilent',
  'ResponderUnknown',
  'SearchAnswers',
  'SearchCost',
  'Wired',
  'WiredElsewhere',
  'WiredTwice',
  'ZoneNotListed',
] as const;
export type FindingCode = (typeof FINDING_CODES)[number];

/** What mends a finding, ready to use. */
export interface Change {
  /** Where it goes: `kubectl apply --server-side ... -f -`, a path. */
  readonly use: string;
  readonly text: string;
  /** What is applied: two changes of one object do not know of each other. */
  readonly object?: string;
}

export interface DnsFinding {
  readonly result: 'ok' | 'warning' | 'failed';
  readonly code: FindingCode;
  readonly about: string;
  readonly found: string;
  /** What mends it; absent where nothing is wrong. */
  readonly fix?: string;
  readonly change?: Change;
}

/** An object to be applied, with no more in it than is to be changed. */
export function objectChange(object: KubeObject, text = stringify(object, { lineWidth: 0 })): Change {
  return { use: APPLY, text, object: describeObject(object) };
}

/** Server-side: what else stands in the object stays, and stays its owner's. */
export const APPLY = 'kubectl apply --server-side --force-conflicts -f -';

/** `json`, `yaml`: a list of findings. Else a line for each, then what mends those that are not ok, then the changes. */
export function formatDnsFindings(findings: readonly DnsFinding[], output: Output): string {
  if (output === 'json' || output === 'yaml') return formatData(findings, output);
  const table = formatTable(
    ['result', 'code', 'about', 'found'],
    findings.map(({ result, code, about, found }) => [result, code, about, found]),
  );
  const fixes = findings.flatMap(({ about, fix }) => (fix === undefined ? [] : [sanitize(`Fix (${about}): ${fix}`)]));
  const changes = changesOf(findings).map(({ use, text }) => `\n# ${sanitize(use)}\n${sanitizeLines(text)}`);
  return [table, ...fixes, ...changes].join('\n');
}

/** Each once. Of one object the first: the next run has what is left. */
export function changesOf(findings: readonly DnsFinding[]): Change[] {
  const changes = findings.flatMap(({ change }) => change ?? []);
  const isSame = (one: Change, other: Change): boolean =>
    one.text === other.text || (one.object !== undefined && one.object === other.object);
  return changes.filter((change, index) => changes.findIndex((other) => isSame(change, other)) === index);
}

/** The objects alone, for a pipe into `kubectl apply`; empty where there is nothing to apply. */
export function formatChanges(findings: readonly DnsFinding[]): string {
  const applied = changesOf(findings).filter(({ use }) => use === APPLY);
  return applied.map(({ text }) => text.trimEnd()).join('\n---\n');
}

function sanitizeLines(text: string): string {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => line.replace(/(?!\t)\p{Cc}+/gu, '?'))
    .join('\n');
}
