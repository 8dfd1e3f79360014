import assert from 'node:assert/strict';
import fc from 'fast-check';
import { LineTooLongError, splitLines } from '#src/store/kubernetes/lines.ts';

async function linesOf(chunks: readonly Uint8Array[], bytesMax = 100): Promise<string[]> {
  async function* source(): AsyncGenerator<Uint8Array> {
    for (const chunk of chunks) yield await Promise.resolve(chunk);
  }
  const lines: string[] = [];
  for await (const line of splitLines(source(), bytesMax)) lines.push(line);
  return lines;
}

describe('splitLines', () => {
  it('any text in any pieces → its complete lines that say something', async () => {
    const text = fc.array(fc.constantFrom('a', 'ä', '\n', '\r\n', '{"x":1}', ' '), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(text, fc.array(fc.nat(5), { maxLength: 60 }), async (parts, sizes) => {
        const bytes = Buffer.from(parts.join(''));
        const chunks: Uint8Array[] = [];
        let at = 0;
        for (const size of sizes) chunks.push(bytes.subarray(at, (at += size)));
        chunks.push(bytes.subarray(at));
        const expected = parts
          .join('')
          .split('\n')
          .slice(0, -1)
          .map((line) => line.trim());
        assert.deepEqual(
          await linesOf(chunks, 1_000),
          expected.filter((line) => line !== ''),
        );
      }),
    );
  });

  it('a line of the bound → passes; one byte more → LineTooLongError, with its end or without', async () => {
    assert.deepEqual(await linesOf([Buffer.from(`${'x'.repeat(100)}\n`)]), ['x'.repeat(100)]);
    await assert.rejects(linesOf([Buffer.from(`${'x'.repeat(101)}\n`)]), LineTooLongError);
    await assert.rejects(linesOf([Buffer.from('x'.repeat(60)), Buffer.from('x'.repeat(41))]), LineTooLongError);
  });
});
