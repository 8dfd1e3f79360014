import assert from 'node:assert/strict';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { AppError } from '#src/api/errors.ts';
import { gather } from '#src/cli/gather.ts';
import { redact } from '#src/cli/redact.ts';
import { COMMON_KINDS } from '#src/store/caches.ts';

const KEY = '-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEG\n-----END PRIVATE KEY-----';
const now = new Date('2026-11-21T12:00:00Z');

describe('gather', () => {
  it('all parts answer → one file each, and what it is about', async () => {
    const { files, missing } = await gather({ ask: () => Promise.resolve([]), version: '1.0.0', now });
    assert.deepEqual(missing, []);
    assert.deepEqual(files.slice(0, 3), ['about.json', 'status.json', 'fabric.json']);
    assert.equal(files.filter((name) => name.startsWith('objects/')).length, COMMON_KINDS.length);
    assert.ok(!files.some((name) => name.includes('Secret')));
  });

  it('a part fails → the others are there, and it is said', async () => {
    const ask = (route: string) =>
      route === 'GET /fabric' ? Promise.reject(new AppError('ERR_TIMEOUT', 'it: late')) : Promise.resolve({});
    const { files, missing } = await gather({ ask, version: '1.0.0', now });
    assert.ok(!files.includes('fabric.json'));
    assert.deepEqual(missing, ['fabric.json: ERR_TIMEOUT it: late.']);
  });

  it('nobody answers → rejects', async () => {
    const ask = () => Promise.reject(new AppError('ERR_ADMIN_UNREACHABLE', 'admin socket: nobody'));
    await assert.rejects(gather({ ask, version: '1.0.0', now }), { code: 'ERR_ADMIN_UNREACHABLE' });
  });

  for (const [bytesMax, isIn] of [
    [11, true],
    [10, false],
  ] as const) {
    it(`a part of 11 bytes with room for ${bytesMax} → ${isIn ? 'in it' : 'left out, and said'}`, async () => {
      // Quotes are JSON's; text goes as it is.
      const ask = (route: string) => Promise.resolve(route === 'GET /status' ? 'x'.repeat(11) : '');
      const { files, missing } = await gather({ ask, version: '1.0.0', now, bytesMax });
      assert.equal(files.includes('status.json'), isIn);
      assert.equal(missing.length, isIn ? 0 : 1);
    });
  }

  it('keys and tokens in answers → left out, everything else is there', async () => {
    const ask = () => Promise.resolve({ note: KEY, header: 'Authorization: Bearer abc.DEF-123==', kept: 'yes' });
    const { archive } = await gather({ ask, version: '1.0.0', now });
    const text = gunzipSync(archive).toString();
    assert.doesNotMatch(text, /MIGHAgEA|abc\.DEF/);
    assert.match(text, /"kept": "yes"/);
  });
});

describe('redact', () => {
  const cases: [title: string, value: unknown, redacted: unknown][] = [
    ['a key inside a text', `a ${KEY} b`, 'a [left out] b'],
    ['a key that was cut', `a ${KEY.slice(0, 40)}`, 'a [left out]'],
    ['an EC key', KEY.replaceAll('PRIVATE', 'EC PRIVATE'), '[left out]'],
    ['a bearer token', 'bearer abcdef', 'bearer [left out]'],
    ['a JSON Web Token', 'x=eyJhbGciOi.eyJzdWIi.c2ln', 'x=[left out]'],
    ['a key of an object', { [KEY]: 1 }, { '[left out]': 1 }],
    ['nested', [{ a: [KEY] }], [{ a: ['[left out]'] }]],
    ['a certificate', '-----BEGIN CERTIFICATE-----\nabc', '-----BEGIN CERTIFICATE-----\nabc'],
  ];
  for (const [title, value, redacted] of cases) {
    it(`${title} → ${JSON.stringify(redacted)}`, () => assert.deepEqual(redact(value), redacted));
  }

  it('any JSON with a key somewhere → not there afterwards', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (before, after) => {
        const text = JSON.stringify(redact({ a: [`${before}${KEY}${after}`] }));
        assert.ok(!text.includes('MIGHAgEAMBMGByqGSM49AgEG'));
      }),
    );
  });
});
