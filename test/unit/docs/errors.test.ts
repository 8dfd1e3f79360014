import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { AppError, ERROR_CODES } from '#src/api/errors.ts';
import { REASONS, WIRE_REASONS, type WireReason } from '#src/api/reasons.ts';
import type { ExportStanding } from '#src/controllers/export/desired.ts';
import type { ExportVerdict } from '#src/catalogue/types.ts';
import { exitCodeOf } from '#src/cli/output.ts';
import type { DropReason } from '#src/dns/counts.ts';
import { fromWire } from '#src/gateway/cuts.ts';
import { encodeAnswer, type RefusalStatus } from '#src/gateway/wire/connect.ts';
import { PROPERTIES } from '#src/merge/properties.ts';
import type { RuleProblem } from '#src/merge/rule.ts';
import type { SkipReason } from '#src/merge/types.ts';
import {
  codeOf,
  codeSpansOf,
  documentPaths,
  readDocument,
  rowsOf,
  sectionOf,
  sectionsOf,
  type Row,
} from './markdown.ts';

const TEXT = readDocument('docs/ERRORS.md');
const STATUSES: readonly RefusalStatus[] = [400, 403, 404, 503, 508];

function rowsIn(title: string): Row[] {
  return rowsOf(sectionOf(TEXT, title).text);
}

function column(rows: readonly Row[], name: string): string[] {
  return rows.map((row) => codeOf(row[name] ?? '')).sort();
}

/** Sections below `Conditions`: all that have a table whose reasons are in camel case. */
const CAMEL_ROWS = sectionsOf(TEXT)
  .filter(({ level, title }) => level === 3 || title === 'Conditions')
  .flatMap(({ text }) => rowsOf(text));
const CAMEL_REASONS = new Set(column(CAMEL_ROWS, 'reason'));

/** Exhaustive by their types: a member that is added there is missing here, and one that is removed there is too much. */
const SKIPS: Record<SkipReason, true> = {
  InvalidName: true,
  LimitReached: true,
  NameTaken: true,
  NameTooLong: true,
  NamespaceNotFound: true,
  NoPorts: true,
  NoTargetPort: true,
  RestrictedNamespace: true,
  SourceNotMerged: true,
  TypeConflict: true,
  UnknownFeature: true,
};
const VERDICTS: Record<Exclude<ExportVerdict['reason'], 'NameTaken' | 'NoPort'>, true> = {
  Valid: true,
  NoService: true,
  InvalidServiceType: true,
  InvalidService: true,
  InvalidExport: true,
  RestrictedNamespace: true,
};
/** Of an Export; what the catalogue calls valid is `Verified` there, as in ClusterLink. */
const STANDINGS: Record<Exclude<ExportStanding['reason'], 'Valid'> | 'Verified', true> = {
  Verified: true,
  NoService: true,
  NoPort: true,
  InvalidServiceType: true,
  InvalidService: true,
  InvalidExport: true,
  NameTaken: true,
  RestrictedNamespace: true,
  TargetForbidden: true,
  TargetUnseen: true,
};
const RULE_PROBLEMS: Record<RuleProblem['reason'], true> = { InvalidRule: true, LimitReached: true };
const DROPS: Record<DropReason, true> = {
  'client-not-allowed': true,
  connections: true,
  'source-port-zero': true,
  'rate-limited': true,
  send: true,
  'too-short': true,
  'too-long': true,
  'not-a-query': true,
  'slow-client': true,
};

describe('docs/ERRORS.md', () => {
  it('error codes → every one, no other, with the exit code of commands', () => {
    const rows = rowsIn('Error codes');
    assert.deepEqual(column(rows, 'code'), [...ERROR_CODES].sort());
    for (const row of rows) {
      const code = ERROR_CODES.find((known) => known === codeOf(row['code'] ?? ''));
      assert.ok(code !== undefined);
      assert.equal(Number(row['exit code']), exitCodeOf(new AppError(code, 'x')), code);
    }
  });

  it('reasons → every one, no other', () => {
    assert.deepEqual(column(rowsIn('Reasons'), 'reason'), Object.values(REASONS).sort());
  });

  it('reasons on the wire → every one, with its statuses and what the other side makes of it', () => {
    const rows = rowsIn('On the wire');
    assert.deepEqual(column(rows, 'reason'), [...WIRE_REASONS].sort());
    for (const row of rows) {
      const reason = codeOf(row['reason'] ?? '') as WireReason;
      const statuses = STATUSES.filter((status) => canAnswer(status, reason));
      assert.equal(row['status'], statuses.join(', '), reason);
      assert.equal(codeOf(row['read on the other side as'] ?? ''), fromWire(reason), reason);
    }
  });

  it('rows of all these → a meaning and a remedy', () => {
    for (const row of [...rowsIn('Error codes'), ...rowsIn('Reasons'), ...CAMEL_ROWS]) {
      for (const [name, cell] of Object.entries(row)) assert.ok(cell.length > 0, `${name} of ${JSON.stringify(row)}`);
    }
  });

  it('closed sets of condition reasons → every one, no other', () => {
    assert.deepEqual(column(rowsIn('Exports that rules skip'), 'reason'), Object.keys(SKIPS).sort());
    const ofExports = rowsIn('ServiceExport');
    const valid = ofExports.filter(({ condition }) => condition === '`Valid`');
    assert.deepEqual(column(valid, 'reason'), Object.keys(VERDICTS).sort());
    assert.deepEqual(column(rowsIn('Export'), 'reason'), Object.keys(STANDINGS).sort());
    const conflicts = ofExports.filter((row) => 'what is used' in row);
    assert.deepEqual(
      conflicts.map(({ reason = '' }) => codeOf(reason)),
      PROPERTIES.map(({ reason }) => reason),
    );
    for (const reason of Object.keys(RULE_PROBLEMS)) assert.ok(CAMEL_REASONS.has(reason), reason);
    const drops = rowsIn('DNS').filter((row) => 'reason' in row);
    assert.deepEqual(column(drops, 'reason'), Object.keys(DROPS).sort());
  });

  it('a camel-case reason that the code gives → documented', () => {
    const given = globSync('src/{catalogue,controllers,gateway,merge}/**/*.ts').flatMap((path) =>
      reasonsGivenIn(readFileSync(path, 'utf8')),
    );
    assert.ok(given.length > 20);
    assert.deepEqual(
      [...new Set(given)].filter((reason) => !CAMEL_REASONS.has(reason)),
      [],
    );
  });

  it('a camel-case reason that is documented → the code gives it, itself or as a reason above', () => {
    const code = globSync('src/**/*.ts')
      .map((path) => readFileSync(path, 'utf8'))
      .join('\n');
    const above = Object.values(REASONS).map(toCamelCase);
    assert.deepEqual(
      [...CAMEL_REASONS].filter((reason) => !code.includes(`'${reason}'`) && !above.includes(reason)),
      [],
    );
  });

  for (const path of documentPaths()) {
    it(`${path} → names no error code that is not there`, () => {
      const named = codeSpansOf(readDocument(path)).filter((code) => /^ERR_[A-Z_]+$/.test(code));
      assert.deepEqual(
        named.filter((code) => !ERROR_CODES.some((known) => known === code)),
        [],
      );
    });
  }
});

function canAnswer(status: RefusalStatus, reason: WireReason): boolean {
  try {
    encodeAnswer({ ok: false, status, reason });
    return true;
  } catch {
    return false;
  }
}

/** Words in quotes on lines that speak of a reason, and the second argument of `ready(status, reason, ...)`. */
function reasonsGivenIn(source: string): string[] {
  const lines = source.split('\n').filter((line) => /\breason\b/.test(line));
  // `{ type: 'Valid', status: 'False', reason: ... }` may stand on one line.
  const spoken = lines.map((line) => line.replaceAll(/\b(?:type|status|state): '\w+'/g, ''));
  const quoted = spoken.flatMap((line) => [...line.matchAll(/'([A-Z][a-z]+(?:[A-Z][A-Za-z]*)?)'/g)]);
  const readiness = [...source.matchAll(/\bready\(\s*'\w+',\s*'(\w+)'/g)];
  return [...quoted, ...readiness].map(([, word = '']) => word);
}

/** `PEER_UNREACHABLE` → `PeerUnreachable`. */
function toCamelCase(reason: string): string {
  const words = reason.toLowerCase().split('_');
  return words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
}
