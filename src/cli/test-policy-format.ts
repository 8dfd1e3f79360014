/** What `test policy` prints. */
import { formatKey } from '../api/object.ts';
import type { ForeseenCut } from '../gateway/messages.ts';
import type { Obstacle, PolicyLook } from '../policy/trace.ts';
import { formatData, formatTable, sanitize, type Output } from './output.ts';
import type { PolicyDiffReport } from './test-policy-diff.ts';
import type { PolicyTestAnswer, PolicyTestReport } from './test-policy.ts';

export function formatPolicyTest(report: PolicyTestReport, output: Output): string {
  if (output === 'json' || output === 'yaml') return formatPlain(report, output);
  const notes = report.notes.map((note) => `Note: ${sanitize(note)}`).join('\n');
  return [...report.answers.map((answer) => formatAnswer(report, answer)), notes]
    .filter((section) => section !== '')
    .join('\n\n');
}

/** Objects that stand in two places are written twice: YAML would make anchors of them. */
function formatPlain(report: PolicyTestReport, output: 'json' | 'yaml'): string {
  return formatData(JSON.parse(JSON.stringify(report)), output);
}

function formatAnswer({ direction, object }: PolicyTestReport, answer: PolicyTestAnswer): string {
  const { service, allowed, reason, message, fix, asked } = answer;
  const subject = direction === 'egress' ? `${object} from ${service}` : service;
  const verdict = allowed ? 'ALLOWED' : `DENIED (${reason})`;
  const remedy = fix === undefined ? '' : ` Fix: ${fix}.`;
  const head = `${verdict} ${direction} ${subject}\n${sanitize(message)}${remedy}`;
  return asked === undefined ? `${head}\nNo policy was asked.` : `${head}\n\n${formatAsked(asked)}`;
}

function formatAsked({
  looks,
  untold,
  decision,
  elsewhere,
  namespace,
}: NonNullable<PolicyTestAnswer['asked']>): string {
  const rows = looks.map((look, index) => {
    const isLast = index === looks.length - 1 && decision.policy !== undefined;
    const { policy, action, said } = look;
    return [policy.kind, formatKey(policy), action, isLast ? `${SAID[said]}: decides` : SAID[said], because(look)];
  });
  const table = formatTable(['tier', 'policy', 'action', 'says', 'because'], rows);
  const lines = [
    rows.length === 0 ? 'There is no policy that could speak of it: denied by default.' : table,
    ...(looks.at(-1)?.said === 'unknown' && decision.policy !== undefined
      ? ['What is unknown counts against the client: that deny could be meant for it.']
      : []),
    ...(untold > 0 ? [`${untold} more were looked at before the last one.`] : []),
    ...(decision.policy === undefined && rows.length > 0 ? ['No policy allows it: denied by default.'] : []),
    ...(decision.policy === undefined && elsewhere.length > 0
      ? [`AccessPolicies count here only in namespace ${namespace}; there are some in ${elsewhere.join(', ')}.`]
      : []),
  ];
  return lines.join('\n');
}

const SAID = { match: 'match', 'no-match': 'no match', unknown: 'unknown' } as const;

function because({ unreadable, because: obstacles }: PolicyLook): string {
  if (unreadable !== undefined) return `it cannot be read: ${unreadable}`;
  return obstacles.map(formatObstacle).join('; ');
}

function formatObstacle({ side, item, requirement, said, value }: Obstacle): string {
  const { key, operator, values = [] } = requirement;
  const is = said === 'unknown' ? 'unknown' : value === undefined ? 'absent' : JSON.stringify(value);
  const wanted = values.length === 0 ? operator : `${operator} ${values.join(', ')}`;
  return `${side}[${item}] ${key} is ${is}, wanted: ${wanted}`;
}

export function formatPolicyDiff(report: PolicyDiffReport, output: Output): string {
  if (output === 'json' || output === 'yaml') return formatData(report, output);
  const { policies, open, cuts, cutsTotal, unasked, admissions } = report;
  const names = (['added', 'changed', 'removed'] as const).flatMap((how) =>
    policies[how].map((name) => `${how.padEnd('changed'.length)} ${sanitize(name)}`),
  );
  const head = ['direction', 'object', 'peer', 'connections'];
  return [
    names.length === 0 ? 'No policy changes.' : names.join('\n'),
    `${cutsTotal} of ${open} open connections would be cut.`,
    unasked === 0 ? '' : `${unasked} of them were not asked: there was no time for more.`,
    cuts.length === 0 ? '' : formatTable([...head, 'reason', 'message'], countRows(cuts)),
    admissions.length === 0
      ? ''
      : `${admissions.length} connections refused of late would not be refused here:\n${formatTable(head, countRows(admissions))}`,
  ]
    .filter((section) => section !== '')
    .join('\n');
}

type Counted = Pick<ForeseenCut, 'direction' | 'object' | 'peer'> & Partial<Pick<ForeseenCut, 'reason' | 'message'>>;

/** One row for connections that differ in nothing that is shown, the most first. */
function countRows(connections: readonly Counted[]): string[][] {
  const rows = new Map<string, { readonly one: Counted; count: number }>();
  for (const one of connections) {
    const id = JSON.stringify([one.direction, one.object, one.peer, one.reason, one.message]);
    const row = rows.get(id) ?? { one, count: 0 };
    row.count++;
    rows.set(id, row);
  }
  return [...rows.values()]
    .sort((a, b) => b.count - a.count)
    .map(({ one: { direction, object, peer, reason, message }, count }) => [
      direction,
      object,
      peer,
      String(count),
      ...(reason === undefined || message === undefined ? [] : [reason, message]),
    ]);
}
