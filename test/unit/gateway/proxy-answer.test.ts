import assert from 'node:assert/strict';
import fc from 'fast-check';
import { PROXY_HEAD_BYTES_MAX } from '#src/gateway/limits.ts';
import { makeProxyAnswerParser } from '#src/gateway/proxy-answer.ts';

function parse(...chunks: readonly (string | Buffer)[]): { status: number; rest: string } | undefined {
  const parser = makeProxyAnswerParser();
  for (const chunk of chunks) {
    const parsed = parser.push(Buffer.from(chunk as string, 'latin1'));
    if (parsed !== undefined) return { status: parsed.head.status, rest: parsed.rest.toString('latin1') };
  }
  return undefined;
}

describe('makeProxyAnswerParser', () => {
  const good: readonly (readonly [string, string, number, string])[] = [
    ['as Squid says it', 'HTTP/1.1 200 Connection established\r\n\r\n', 200, ''],
    ['HTTP/1.0, without a phrase', 'HTTP/1.0 200\r\n\r\n', 200, ''],
    [
      'fields that announce a body',
      'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nVia: a\r\nVia: b\r\n\r\nhello',
      200,
      'hello',
    ],
    ['bytes behind the head', 'HTTP/1.1 200 OK\r\n\r\n\x16\x03\x01\r\n\r\n', 200, '\x16\x03\x01\r\n\r\n'],
    [
      'a refusal with two challenges',
      'HTTP/1.1 407 Nö\r\nProxy-Authenticate: Basic\r\nProxy-Authenticate: NTLM\r\n\r\n<',
      407,
      '<',
    ],
    ['interim answers', 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\nA: b\r\n\r\nHTTP/1.1 204 \r\n\r\nx', 204, 'x'],
  ];
  for (const [title, bytes, status, rest] of good) {
    it(`${title} → its status, and the rest untouched`, () => assert.deepEqual(parse(bytes), { status, rest }));
    it(`${title}, a byte at a time → the same`, () => assert.deepEqual(parse(...bytes), { status, rest: '' }));
  }

  const bad: readonly (readonly [string, string])[] = [
    ['TLS', '\x16\x03\x03\x00\x7a'],
    ['another protocol, and then nothing', 'SSH-2.0-OpenSSH'],
    ['HTTP/2', 'HTTP/2 200 OK\r\n\r\n'],
    ['no status', 'HTTP/1.1 OK\r\n\r\n'],
    ['a status of four digits', 'HTTP/1.1 2000 OK\r\n\r\n'],
    ['folding', 'HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n'],
    ['a space before the colon', 'HTTP/1.1 200 OK\r\nA : b\r\n\r\n'],
    ['a control character', 'HTTP/1.1 200 OK\r\nA: \x00\r\n\r\n'],
    ['a line end without CR', 'HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n'],
  ];
  for (const [title, bytes] of bad) {
    it(`${title} → ERR_MALFORMED, without its bytes`, () => {
      assert.throws(
        () => parse(bytes),
        (error: Error & { code?: string }) => {
          assert.equal(error.code, 'ERR_MALFORMED');
          assert.doesNotMatch(error.message, /SSH|OpenSSH|[^\x20-\x7e]/);
          return true;
        },
      );
    });
  }

  const padded = (bytes: number): string => {
    const [begin, end] = ['HTTP/1.1 200 OK\r\nA: ', '\r\n\r\n'];
    return begin + 'a'.repeat(bytes - begin.length - end.length) + end;
  };
  it(`${PROXY_HEAD_BYTES_MAX} bytes → taken; one more → ERR_MALFORMED, complete or not`, () => {
    assert.equal(parse(padded(PROXY_HEAD_BYTES_MAX))?.status, 200);
    assert.throws(() => parse(padded(PROXY_HEAD_BYTES_MAX + 1)), { code: 'ERR_MALFORMED' });
    assert.throws(() => parse(padded(PROXY_HEAD_BYTES_MAX + 100).slice(0, -50)), { code: 'ERR_MALFORMED' });
    assert.throws(() => parse('HTTP/1.1 100 x\r\n\r\n'.repeat(PROXY_HEAD_BYTES_MAX / 16)), { code: 'ERR_MALFORMED' });
  });

  it('any bytes, cut anywhere → a status, nothing yet, or ERR_MALFORMED', () => {
    const bytes = fc.oneof(
      fc.uint8Array(),
      fc.string().map((text) => Buffer.from(`HTTP/1.1 200 ${text}\r\n\r\n`)),
    );
    fc.assert(
      fc.property(fc.array(bytes, { maxLength: 4 }), (chunks) => {
        try {
          const status = parse(...chunks.map((chunk) => Buffer.from(chunk)))?.status ?? 200;
          assert.ok(status >= 200 && status <= 599);
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'ERR_MALFORMED');
        }
      }),
    );
  });
});
