/** Heads, CONNECT and its answer, and what an importer asserts of its client, when they are almost right. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  type ConnectAnswer,
  encodeAnswer,
  encodeConnect,
  encodeExchange,
  parseAnswer,
  parseStreamRequest,
  type ConnectRequest,
} from '#src/gateway/wire/connect.ts';
import { type HeadParser, makeRequestHeadParser, makeResponseHeadParser } from '#src/gateway/wire/head.ts';
import { encodeSource, parseSource } from '#src/gateway/wire/source.ts';
import { cut } from '../gateway/chunks.ts';
import { BAD_HEADS, FIRST_LINES } from './bad-heads.ts';
import { attempt, type Attempt, mutated, mutatedJson } from './mutations.ts';

interface Read {
  readonly head: unknown;
  readonly rest: Buffer;
}

function read<H>(parser: HeadParser<H>, chunks: readonly Buffer[]): Attempt<(Read & { head: H }) | undefined> {
  return attempt(() => {
    for (const [index, chunk] of chunks.entries()) {
      const found = parser.push(chunk);
      if (found !== undefined)
        return { head: found.head, rest: Buffer.concat([found.rest, ...chunks.slice(index + 1)]) };
    }
    return undefined;
  });
}

function assertRefused(result: Attempt<unknown>): void {
  assert.ok('code' in result, `read as ${JSON.stringify(result)}`);
  assert.equal(result.code, 'ERR_MALFORMED');
  // It may reach a log or a terminal.
  assert.match(result.message, /^[\x20-\x7e]{1,200}$/);
}

describe('fuzz: the corpus of bad heads', () => {
  for (const [what, first] of Object.entries(FIRST_LINES)) {
    const make = (): HeadParser<unknown> =>
      first.startsWith('HTTP') ? makeResponseHeadParser() : makeRequestHeadParser();

    it(`${what}, a good head split at every place → the same head and the same rest`, () => {
      const bytes = Buffer.from(`${first}host: east:443\r\nmcs-client:\t a b \r\nx:\r\n\r\nSSH-2.0\r\n\r\n`);
      const whole = read(make(), [bytes]);
      assert.ok('value' in whole && whole.value?.rest.equals(Buffer.from('SSH-2.0\r\n\r\n')));
      for (let at = 1; at < bytes.length; at++) {
        assert.deepEqual(read(make(), [bytes.subarray(0, at), bytes.subarray(at)]), whole);
      }
    });

    for (const { name, text } of BAD_HEADS) {
      it(`${what}, then ${name} → ERR_MALFORMED, split at every place`, () => {
        const bytes = Buffer.from(first + text, 'latin1');
        assertRefused(read(make(), [bytes]));
        // Long ones only where something happens: at their ends.
        const places = bytes.length < 300 ? bytes.length : 80;
        for (let at = 1; at < places; at++) {
          assertRefused(read(make(), [bytes.subarray(0, at), bytes.subarray(at)]));
          assertRefused(read(make(), [bytes.subarray(0, -at), bytes.subarray(-at)]));
        }
      });
    }
  }
});

const label = fc.stringMatching(/^[a-z]([-a-z0-9]{0,8}[a-z0-9])?$/);
const source = fc.option(
  fc.dictionary(fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,12}$/), fc.stringMatching(/^\P{Cc}{0,12}$/u), {
    maxKeys: 4,
  }),
);
const request: fc.Arbitrary<ConnectRequest> = fc.record({
  exporter: label,
  export: fc.record({ namespace: label, name: label }),
  port: fc.integer({ min: 1, max: 65_535 }).map((port) => ({ port, protocol: 'TCP' as const })),
  source,
  client: fc.stringMatching(/^[\x21-\x7e]{1,16}$/),
  connection: fc.stringMatching(/^[0-9a-f]{32}$/),
  via: fc.array(label, { maxLength: 5 }),
  crit: fc.constant([]),
});
const answer: fc.Arbitrary<ConnectAnswer> = fc.constantFrom<ConnectAnswer>(
  { ok: true, connection: '0123456789abcdef0123456789abcdef' },
  { ok: false, status: 403, reason: 'denied', connection: '0123456789abcdef0123456789abcdef' },
  { ok: false, status: 503, reason: 'overloaded' },
  { ok: false, status: 508, reason: 'loop' },
);
const cuts = fc.infiniteStream(fc.integer({ min: 1, max: 90 }));

describe('fuzz: parseStreamRequest', () => {
  it('a request with something wrong → ERR_MALFORMED, or one that says the same when it is written again; however it is cut', () => {
    const valid = fc.oneof(request.map(encodeConnect), label.map(encodeExchange));
    fc.assert(
      fc.property(mutated(valid), cuts, (bytes, cuts) => {
        const whole = read(makeRequestHeadParser(), [bytes]);
        assert.deepEqual(read(makeRequestHeadParser(), cut(bytes, cuts)), whole);
        if ('code' in whole) return assertRefused(whole);
        if (whole.value === undefined) return;
        const { head } = whole.value;
        const parsed = attempt(() => parseStreamRequest(head));
        if ('code' in parsed) return assertRefused(parsed);
        if (parsed.value.kind !== 'connect') return;
        const again = makeRequestHeadParser().push(encodeConnect(parsed.value.request));
        assert.ok(again);
        assert.deepEqual(parseStreamRequest(again.head), parsed.value);
      }),
      { numRuns: 400 },
    );
  });
});

describe('fuzz: parseAnswer', () => {
  it('an answer with something wrong → ERR_MALFORMED, or one that says the same when it is written again; however it is cut', () => {
    fc.assert(
      fc.property(mutated(answer.map(encodeAnswer)), cuts, (bytes, cuts) => {
        const whole = read(makeResponseHeadParser(), [bytes]);
        assert.deepEqual(read(makeResponseHeadParser(), cut(bytes, cuts)), whole);
        if ('code' in whole) return assertRefused(whole);
        if (whole.value === undefined) return;
        const { head } = whole.value;
        const parsed = attempt(() => parseAnswer(head));
        if ('code' in parsed) return assertRefused(parsed);
        const again = makeResponseHeadParser().push(encodeAnswer(parsed.value));
        assert.ok(again);
        assert.deepEqual(parseAnswer(again.head), parsed.value);
      }),
      { numRuns: 300 },
    );
  });
});

describe('fuzz: parseSource', () => {
  it('any text, or JSON that is almost a source → ERR_MALFORMED, or a source that is written as it came', () => {
    const almost = mutatedJson(source).map((value) => Buffer.from(JSON.stringify(value)).toString('base64url'));
    const bytes = mutated(source.map((value) => Buffer.from(JSON.stringify(value)))).map((raw) =>
      raw.toString('base64url'),
    );
    fc.assert(
      fc.property(fc.oneof(almost, bytes, fc.string({ unit: 'binary', maxLength: 40 })), (text) => {
        const parsed = attempt(() => parseSource(text));
        if ('code' in parsed) return assertRefused(parsed);
        assert.deepEqual(parseSource(encodeSource(parsed.value)), parsed.value);
        // Attributes are looked up by name: nothing may come from the prototype.
        if (parsed.value !== null) assert.equal(Object.getPrototypeOf(parsed.value), Object.prototype);
      }),
      { numRuns: 300 },
    );
  });
});
