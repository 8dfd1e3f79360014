import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { isProxyException, parseProxyUrl } from '#src/runtime/proxy-url.ts';

function read(text: string): { host: string; port: number; credentials: string | undefined } | string {
  const parsed = parseProxyUrl(text);
  if (!parsed.ok) return parsed.problem;
  const { host, port, authorization } = parsed.proxy;
  const encoded = authorization()?.replace(/^Basic /, '');
  return { host, port, credentials: encoded && Buffer.from(encoded, 'base64').toString() };
}

describe('parseProxyUrl', () => {
  const good: readonly (readonly [string, string, number, string | undefined])[] = [
    ['http://proxy.corp.example:3128', 'proxy.corp.example', 3128, undefined],
    ['HTTP://10.0.0.1:80/', '10.0.0.1', 80, undefined],
    ['http://[fd00::1]:3128', 'fd00::1', 3128, undefined],
    ['http://user:secret@proxy:3128', 'proxy', 3128, 'user:secret'],
    ['http://user@proxy:3128', 'proxy', 3128, 'user:'],
    ['http://user:a:b@proxy:3128', 'proxy', 3128, 'user:a:b'],
    ['http://us%20er:p%40ss%2F%C3%A4@proxy:3128', 'proxy', 3128, 'us er:p@ss/ä'],
  ];
  for (const [text, host, port, credentials] of good) {
    it(`${text} → taken`, () => assert.deepEqual(read(text), { host, port, credentials }));
  }

  const bad: readonly (readonly [string, RegExp])[] = [
    ['https://proxy:3128', /another scheme than http/],
    ['socks5://user:secret@proxy:1080', /another scheme than http/],
    ['proxy:3128', /is not http:/],
    ['http:proxy:3128', /is not http:/],
    ['', /is not http:/],
    ['http://proxy', /no host:port/],
    ['http://proxy:0', /no host:port/],
    ['http://proxy:65536', /no host:port/],
    ['http://:3128', /no host:port/],
    ['http://fd00::1:3128', /no host:port/],
    ['http://proxy:3128/path', /is not http:/],
    ['http://proxy:3128?x', /is not http:/],
    ['http://a:secret@b@proxy:3128', /is not http:/],
    ['http://:secret@proxy:3128', /a user or a password/],
    ['http://us%3Aer:secret@proxy:3128', /a user or a password/],
    ['http://user:secret%0D%0AX:1@proxy:3128', /a user or a password/],
    ['http://user:secret%zz@proxy:3128', /a user or a password/],
    ['http://proxy:3128\r\nX: 1', /is not http:|no host:port/],
  ];
  for (const [text, problem] of bad) {
    it(`${JSON.stringify(text)} → refused, without a word of it`, () => {
      const found = read(text);
      assert.ok(typeof found === 'string');
      assert.match(found, problem);
      assert.doesNotMatch(found, /secret/);
    });
  }

  it('printed in any way → without the credentials', () => {
    const parsed = parseProxyUrl('http://user:hush@proxy:3128');
    const encoded = Buffer.from('user:hush').toString('base64');
    for (const text of [inspect(parsed, { depth: 9, showHidden: true }), JSON.stringify(parsed)]) {
      assert.ok(!text.includes('hush') && !text.includes(encoded), text);
    }
  });

  it('any text → read or refused, and what goes onto the wire has no line end', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map((text) => `http://${text}@proxy:1`),
        ),
        (text) => {
          const parsed = parseProxyUrl(text);
          if (parsed.ok) assert.match(parsed.proxy.authorization() ?? 'Basic ', /^Basic [A-Za-z0-9+/]*=*$/);
        },
      ),
    );
  });
});

describe('isProxyException', () => {
  for (const entry of [
    'corp.example',
    '.corp.example',
    'Gw',
    '10.0.0.1',
    '10.0.0.0/8',
    'fd00::/8',
    '::1',
    '0.0.0.0/0',
  ]) {
    it(`${entry} → taken`, () => assert.ok(isProxyException(entry)));
  }
  for (const entry of [
    '',
    '.',
    '*',
    '*.corp.example',
    'a b',
    '10.0.0',
    '10.0.0.0/33',
    '10.0.0.0/',
    'corp.example:443',
    '10.0.0.0/8/8',
  ]) {
    it(`${JSON.stringify(entry)} → refused`, () => assert.ok(!isProxyException(entry)));
  }
});
