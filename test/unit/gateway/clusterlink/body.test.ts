import assert from 'node:assert/strict';
import fc from 'fast-check';
import { AppError } from '#src/api/errors.ts';
import { framingOf, makeBodyParser, type BodyFraming } from '#src/gateway/clusterlink/body.ts';
import { REQUEST_BODY_BYTES_MAX } from '#src/gateway/clusterlink/limits.ts';
import { cut } from '../chunks.ts';

const CHUNKED: BodyFraming = { kind: 'chunked' };

function read(framing: BodyFraming, chunks: readonly Buffer[]): { body: string; rest: string } | undefined {
  assert.notEqual(framing.kind, 'none');
  const parser = makeBodyParser(framing as Exclude<BodyFraming, { kind: 'none' }>);
  for (const [index, chunk] of chunks.entries()) {
    const result = parser.push(chunk);
    if (result === undefined) continue;
    const rest = Buffer.concat([result.rest, ...chunks.slice(index + 1)]);
    return { body: result.head.toString('latin1'), rest: rest.toString('latin1') };
  }
  return undefined;
}

describe('framingOf', () => {
  const cases: { fields: Record<string, string>; want: BodyFraming | string }[] = [
    { fields: {}, want: { kind: 'none' } },
    { fields: { 'content-length': '0' }, want: { kind: 'none' } },
    { fields: { 'content-length': '12' }, want: { kind: 'length', bytes: 12 } },
    {
      fields: { 'content-length': String(REQUEST_BODY_BYTES_MAX) },
      want: { kind: 'length', bytes: REQUEST_BODY_BYTES_MAX },
    },
    { fields: { 'content-length': String(REQUEST_BODY_BYTES_MAX + 1) }, want: 'ERR_BOUND_EXCEEDED' },
    { fields: { 'content-length': '9999999999' }, want: 'ERR_BOUND_EXCEEDED' },
    { fields: { 'transfer-encoding': 'Chunked' }, want: CHUNKED },
    { fields: { 'transfer-encoding': 'gzip, chunked' }, want: 'ERR_MALFORMED' },
    { fields: { 'transfer-encoding': 'identity' }, want: 'ERR_MALFORMED' },
    { fields: { 'transfer-encoding': '' }, want: 'ERR_MALFORMED' },
    { fields: { 'transfer-encoding': 'chunked', 'content-length': '1' }, want: 'ERR_MALFORMED' },
    ...['', '-1', '+1', '01', '1.0', '0x1', '1, 1', '1e1', '99999999999'].map((length) => ({
      fields: { 'content-length': length },
      want: 'ERR_MALFORMED',
    })),
  ];
  for (const { fields, want } of cases) {
    it(`${JSON.stringify(fields)} → ${typeof want === 'string' ? want : want.kind}`, () => {
      const ask = (): BodyFraming => framingOf(new Map(Object.entries(fields)));
      if (typeof want === 'string') assert.throws(ask, { code: want });
      else assert.deepEqual(ask(), want);
    });
  }
});

describe('makeBodyParser', () => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 200 }).map((part) => Buffer.from(part));
  const cuts = fc.infiniteStream(fc.integer({ min: 1, max: 30 }));

  it('by length, cut anywhere → the body, and the bytes behind it', () => {
    fc.assert(
      fc.property(bytes, bytes, cuts, (body, rest, cuts) => {
        const got = read({ kind: 'length', bytes: body.length }, cut(Buffer.concat([body, rest]), cuts));
        assert.deepEqual(got, { body: body.toString('latin1'), rest: rest.toString('latin1') });
      }),
    );
  });

  it('in chunks, cut anywhere → the same', () => {
    fc.assert(
      fc.property(fc.array(bytes, { maxLength: 5 }), bytes, cuts, (parts, rest, cuts) => {
        const encoded = parts.flatMap((part) => [
          Buffer.from(`${part.length.toString(16)}\r\n`),
          part,
          Buffer.from('\r\n'),
        ]);
        const all = Buffer.concat([...encoded, Buffer.from('0\r\n\r\n'), rest]);
        const body = Buffer.concat(parts).toString('latin1');
        assert.deepEqual(read(CHUNKED, cut(all, cuts)), { body, rest: rest.toString('latin1') });
      }),
    );
  });

  it('any bytes as chunks → a body within the bound, nothing yet, or an error that is printable', () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 9 }),
      fc.constantFrom('\r\n', '0\r\n\r\n', '3\r\nabc\r\n', 'ff', ';'),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        try {
          read(CHUNKED, [Buffer.concat(pieces.map((part) => Buffer.from(part as string)))]);
        } catch (error) {
          assert.ok(error instanceof AppError && ['ERR_MALFORMED', 'ERR_BOUND_EXCEEDED'].includes(error.code));
          assert.match(error.message, /^[\x20-\x7e]+$/);
        }
      }),
    );
  });

  const bad: [string, string][] = [
    ['an extension', '3;a=b\r\nabc\r\n0\r\n\r\n'],
    ['a field behind it', '0\r\na: b\r\n\r\n'],
    ['no size', '\r\nabc'],
    ['a sign', '+3\r\nabc\r\n'],
    ['a space', '3 \r\nabc\r\n'],
    ['LF alone', '3\nabc\r\n'],
    ['CR alone', '3\rabc'],
    ['more than its size', '3\r\nabcd\r\n'],
    ['a size without end', '000000003\r\nabc'],
  ];
  for (const [name, text] of bad) {
    it(`${name} → ERR_MALFORMED`, () =>
      assert.throws(() => read(CHUNKED, [Buffer.from(text)]), { code: 'ERR_MALFORMED' }));
  }

  it('chunks up to the bound → taken; one byte more → ERR_BOUND_EXCEEDED before it has come', () => {
    const half = REQUEST_BODY_BYTES_MAX / 2;
    const chunk = Buffer.concat([
      Buffer.from(`${half.toString(16)}\r\n`),
      Buffer.alloc(half, 'x'),
      Buffer.from('\r\n'),
    ]);
    const taken = read(CHUNKED, [chunk, chunk, Buffer.from('0\r\n\r\n')]);
    assert.equal(taken?.body.length, REQUEST_BODY_BYTES_MAX);
    assert.throws(() => read(CHUNKED, [chunk, chunk, Buffer.from('1\r\n')]), { code: 'ERR_BOUND_EXCEEDED' });
  });
});
