/** Lines of the control stream and of the exchange, and records, when they are almost right. */
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import type { ExportRecord } from '#src/api/record.ts';
import { WIRE_REASONS } from '#src/api/reasons.ts';
import { parseExporterMessage, parseImporterMessage } from '#src/exchange/messages.ts';
import { parseRecord } from '#src/exchange/record.ts';
import { parseControlLine, type ControlLine } from '#src/gateway/hello.ts';
import { makeLineReader } from '#src/gateway/wire/lines.ts';
import { makeRecord } from '../exchange/samples.ts';
import { cut } from '../gateway/chunks.ts';
import { attempt, mutated, mutatedJson } from './mutations.ts';

const LINE_BYTES_MAX = 400;
/** Of a message about a peer's bytes, which must not carry them. */
const PLAIN = /^[\x20-\x7e]{1,200}$/;

const label = fc.stringMatching(/^[a-z]([-a-z0-9]{0,8}[a-z0-9])?$/);
const token = fc.stringMatching(/^[A-Za-z0-9.+-]{1,16}$/);
const digest = fc.stringMatching(/^[0-9a-f]{64}$/);
const controlLine: fc.Arbitrary<ControlLine> = fc.oneof(
  fc.record({
    hello: fc.record({
      peer: label,
      epoch: token,
      instance: token,
      version: token,
      features: fc.array(token, { maxLength: 4 }),
      streams: fc.integer({ min: 1, max: 1_000_000 }),
    }),
  }),
  fc.record({
    closed: fc.record(
      {
        stream: fc.integer({ min: 1, max: 0xffff_ffff }),
        reason: fc.constantFrom(...WIRE_REASONS),
        unserved: fc.constant(true as const),
      },
      { requiredKeys: ['stream', 'reason'] },
    ),
  }),
  fc.record({ withdraw: fc.record({ stream: fc.integer({ min: 1, max: 0xffff_ffff }) }) }),
  fc.record({ drain: fc.record({ deadlineMs: fc.nat(86_400_000) }) }),
);
const record: fc.Arbitrary<ExportRecord> = fc
  .tuple(label, fc.dictionary(label, fc.string({ maxLength: 8 }), { maxKeys: 3 }), fc.array(label, { maxLength: 3 }))
  .map(([name, labels, hostnames]) =>
    makeRecord(name, { labels, hostnames, sessionAffinity: 'ClientIP', ipFamilies: ['IPv4'], requires: ['x'] }),
  );
const key = fc.record({ namespace: label, name: label });
const importerLine = fc.oneof(
  fc.record({ op: fc.constant('watch'), have: fc.option(digest) }),
  fc.record({
    op: fc.constant('report'),
    conflicts: fc.array(
      fc.record({ namespace: label, name: label, reasons: fc.array(fc.constant('PortConflict')), loses: fc.boolean() }),
      { maxLength: 3 },
    ),
    imports: fc.array(key, { maxLength: 3 }),
  }),
);
const exporterLine = fc.oneof(
  fc.record({ op: fc.constant('unchanged') }),
  fc.record({ op: fc.constant('record'), record }),
  key.map((names) => ({ op: 'withdrawn', ...names })),
  fc.record({ op: fc.constant('synced'), digest, epoch: fc.uuid() }),
  fc.record({ op: fc.constant('digest'), digest }),
);

interface ParserUnderTest {
  readonly name: string;
  readonly valid: fc.Arbitrary<unknown>;
  parse(value: unknown): unknown;
}

const PARSERS: readonly ParserUnderTest[] = [
  { name: 'parseControlLine', valid: controlLine, parse: parseControlLine },
  { name: 'parseImporterMessage', valid: importerLine, parse: parseImporterMessage },
  { name: 'parseExporterMessage', valid: exporterLine, parse: parseExporterMessage },
  { name: 'parseRecord', valid: record, parse: parseRecord },
];

describe('fuzz: values of lines', () => {
  for (const { name, valid, parse } of PARSERS) {
    it(`${name}: what is well-formed → taken`, () => {
      fc.assert(
        fc.property(valid, (value) => void parse(value)),
        { numRuns: 50 },
      );
    });

    it(`${name}: with something wrong → ERR_MALFORMED without the peer's words, or a value that is read again the same`, () => {
      fc.assert(
        fc.property(mutatedJson(valid), (value) => {
          // As it comes off the wire: what JSON cannot say is not there.
          const told = JSON.parse(JSON.stringify(value)) as unknown;
          const first = attempt(() => parse(told));
          if ('code' in first) {
            assert.equal(first.code, 'ERR_MALFORMED');
            return assert.match(first.message, PLAIN);
          }
          if (first.value === undefined) return;
          const { hash, ...again } = parse(JSON.parse(JSON.stringify(first.value))) as Record<string, unknown>;
          const { hash: hashBefore, ...before } = first.value as Record<string, unknown>;
          assert.deepEqual(again, before);
          assert.equal(typeof hash, typeof hashBefore);
        }),
        { numRuns: 300 },
      );
    });
  }

  it('parseRecord: what a peer says as a name, a label or a value → no control characters behind it', () => {
    fc.assert(
      fc.property(mutatedJson(record), (value) => {
        const told = JSON.parse(JSON.stringify(value)) as unknown;
        const parsed = attempt(() => parseRecord(told));
        if ('value' in parsed) assert.doesNotMatch(stringsOf(parsed.value).join(''), /[\p{Cc}\p{Cs}]/u);
      }),
      { numRuns: 300 },
    );
  });
});

/** Every text in it; keys of maps too. */
function stringsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, member]) => [name, ...stringsOf(member)]);
}

interface Read {
  readonly values: unknown[];
  readonly code: unknown;
}

function readLines(chunks: readonly Buffer[]): Promise<Read> {
  const stream = new PassThrough();
  const values: unknown[] = [];
  return new Promise((resolve) => {
    makeLineReader(stream, {
      lineBytesMax: LINE_BYTES_MAX,
      onLine: (value) => void values.push(value),
      onEnd: () => resolve({ values, code: undefined }),
      onError: (error) => resolve({ values, code: (error as { code?: unknown }).code }),
    });
    for (const chunk of chunks) stream.write(chunk);
    stream.end();
  });
}

describe('fuzz: makeLineReader', () => {
  it('lines with something wrong → values up to there and ERR_MALFORMED; the same however they are cut', async () => {
    const lines = fc
      .array(fc.oneof(controlLine, importerLine, exporterLine), { minLength: 1, maxLength: 5 })
      .map((values) => Buffer.from(values.map((value) => `${JSON.stringify(value)}\n`).join('')));
    const cuts = fc.infiniteStream(fc.integer({ min: 1, max: 150 }));
    await fc.assert(
      fc.asyncProperty(mutated(lines), cuts, async (bytes, cuts) => {
        const whole = await readLines([bytes]);
        assert.ok(whole.code === undefined || whole.code === 'ERR_MALFORMED');
        assert.deepEqual(await readLines(cut(bytes, cuts)), whole);
        for (const value of whole.values) assert.ok(Buffer.byteLength(JSON.stringify(value)) <= 6 * LINE_BYTES_MAX);
      }),
      { numRuns: 150 },
    );
  });
});
