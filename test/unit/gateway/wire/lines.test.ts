import assert from 'node:assert/strict';
import { once } from 'node:events';
import { PassThrough, Writable } from 'node:stream';
import fc from 'fast-check';
import { makeLineReader, writeLine } from '#src/gateway/wire/lines.ts';
import { cut } from '../chunks.ts';

interface Read {
  values: unknown[];
  error?: Error;
}

/** Reads all lines of a stream that gets the chunks and then ends. */
function readAll(chunks: readonly Buffer[], lineBytesMax = 1000, onLine?: () => Promise<void>): Promise<Read> {
  const stream = new PassThrough();
  const values: unknown[] = [];
  return new Promise((resolve) => {
    makeLineReader(stream, {
      lineBytesMax,
      onLine(value) {
        values.push(value);
        return onLine?.();
      },
      onEnd: () => resolve({ values }),
      onError: (error) => resolve({ values, error }),
    });
    for (const chunk of chunks) stream.write(chunk);
    stream.end();
  });
}

describe('makeLineReader', () => {
  it('any values, cut anywhere, handled at once or later → the same values in order', async () => {
    const cuts = fc.infiniteStream(fc.integer({ min: 1, max: 40 }));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.jsonValue(), { maxLength: 8 }), cuts, fc.boolean(), async (values, cuts, isSlow) => {
        const bytes = Buffer.from(values.map((value) => `${JSON.stringify(value)}\n`).join(''));
        const slow = isSlow ? () => new Promise<void>((resolve) => setImmediate(resolve)) : undefined;
        const read = await readAll(cut(bytes, cuts), 100_000, slow);
        assert.equal(read.error, undefined);
        assert.equal(JSON.stringify(read.values), JSON.stringify(values));
      }),
      { numRuns: 50 },
    );
  });

  const bad: { name: string; bytes: string | Buffer; read: unknown[] }[] = [
    { name: 'one byte above the bound', bytes: '1\n"1234567"\n', read: [1] },
    { name: 'no newline above the bound', bytes: '1\n"1234567', read: [1] },
    { name: 'not JSON', bytes: '1\n{a}\n2\n', read: [1] },
    { name: 'an empty line', bytes: '1\n\n', read: [1] },
    { name: 'not UTF-8', bytes: Buffer.from([0x22, 0xff, 0x22, 0x0a]), read: [] },
    { name: 'a byte order mark', bytes: '\ufeff1\n', read: [] },
    { name: 'cut off', bytes: '1\n2', read: [1] },
  ];
  for (const { name, bytes, read } of bad) {
    it(`${name} → ERR_MALFORMED, after the lines before`, async () => {
      const { values, error } = await readAll([Buffer.from(bytes)], 8);
      assert.equal((error as { code?: string } | undefined)?.code, 'ERR_MALFORMED');
      assert.deepEqual(values, read);
    });
  }

  it('a line of exactly the bound → read', async () => {
    assert.deepEqual(await readAll([Buffer.from('"123456"\n')], 8), { values: ['123456'] });
  });

  it('a handler that throws → its error, nothing more is read', async () => {
    const { values, error } = await readAll([Buffer.from('1\n2\n')], 8, () => Promise.reject(new Error('no')));
    assert.equal(error?.message, 'no');
    assert.deepEqual(values, [1]);
  });

  it('a handler that is slow → the writer is held back', async () => {
    const stream = new PassThrough({ highWaterMark: 10 });
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const values: unknown[] = [];
    const ended = Promise.withResolvers<void>();
    makeLineReader(stream, {
      lineBytesMax: 8,
      onLine: (value) => {
        values.push(value);
        return gate;
      },
      onEnd: ended.resolve,
      onError: ended.reject,
    });
    for (let index = 0; index < 20; index += 1) stream.write(`${index}\n`);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(values, [0]);
    assert.ok(stream.writableNeedDrain);
    open();
    stream.end();
    await ended.promise;
    assert.equal(values.length, 20);
  });

  it('a stream that closes without its end → ERR_STREAM_RESET', async () => {
    const stream = new PassThrough();
    const failed = Promise.withResolvers<Error>();
    makeLineReader(stream, { lineBytesMax: 8, onLine: () => {}, onError: failed.resolve });
    stream.destroy();
    assert.equal(((await failed.promise) as { code?: string }).code, 'ERR_STREAM_RESET');
  });

  it('close → nothing is called any more', async () => {
    const stream = new PassThrough();
    const reader = makeLineReader(stream, {
      lineBytesMax: 8,
      onLine: () => assert.fail(),
      onEnd: () => assert.fail(),
      onError: () => assert.fail(),
    });
    reader.close();
    stream.end('1\n');
    stream.destroy();
    await once(stream, 'close');
  });
});

describe('writeLine', () => {
  it('a stream that takes it → resolves, one line written', async () => {
    const stream = new PassThrough();
    await writeLine(stream, { a: 'b\nc' });
    assert.equal(String(stream.read()), '{"a":"b\\nc"}\n');
  });

  it('a stream that is destroyed while it waits → ERR_STREAM_RESET', async () => {
    let waiting: (error: Error) => void = () => assert.fail();
    const stream = new Writable({
      write: (_chunk, _encoding, callback) => (waiting = callback),
      destroy(_error, callback) {
        waiting(new Error('destroyed'));
        callback(null);
      },
    });
    const lines = [writeLine(stream, 1), writeLine(stream, 2)];
    stream.destroy();
    for (const line of lines) await assert.rejects(line, { code: 'ERR_STREAM_RESET' });
  });
});
