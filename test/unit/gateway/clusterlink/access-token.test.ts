import assert from 'node:assert/strict';
import fc from 'fast-check';
import { makeAccessTokens, type AccessGrant } from '#src/gateway/clusterlink/access-token.ts';
import {
  ACCESS_TOKEN_CHARS_MAX,
  ACCESS_TOKEN_MS,
  ACCESS_TOKEN_SKEW_MS,
  ASSERTED_BYTES_MAX,
} from '#src/gateway/clusterlink/limits.ts';

const GRANT: AccessGrant = {
  peer: 'east',
  export: { namespace: 'shop', name: 'db' },
  port: 5432,
  asserted: { namespace: 'web', serviceAccount: 'front', labels: { app: 'ui' } },
  connection: '0'.repeat(32),
};

describe('makeAccessTokens', () => {
  let nowMs: number;
  let keyPem: string;
  const make = () => makeAccessTokens({ keyPem: () => keyPem, nowMs: () => nowMs });
  let tokens: ReturnType<typeof make>;
  beforeEach(() => {
    nowMs = 1_800_000_000_000;
    keyPem = 'a private key';
    tokens = make();
  });
  const reasonOf = (token: string, peer = 'east'): string => {
    const opened = tokens.open(token, peer);
    return opened.ok ? 'ok' : opened.why.reason;
  };

  it('any grant → the same grant at another gateway with the same key, nothing in it readable', () => {
    const labels = fc.dictionary(fc.string({ maxLength: 20 }), fc.string({ maxLength: 20 }), { maxKeys: 5 });
    const asserted = fc.option(
      fc.record(
        { namespace: fc.string(), serviceAccount: fc.string(), labels },
        { noNullPrototype: true, requiredKeys: [] },
      ),
    );
    fc.assert(
      fc.property(asserted, fc.integer({ min: 1, max: 65_535 }), (asserted, port) => {
        const grant = { ...GRANT, asserted, port } as AccessGrant;
        const token = tokens.seal(grant);
        assert.deepEqual(make().open(token, 'east'), { ok: true, grant: JSON.parse(JSON.stringify(grant)) as unknown });
        assert.match(token, /^[A-Za-z0-9_-]+$/);
      }),
    );
    const readable = Buffer.from(tokens.seal(GRANT), 'base64url').toString('latin1');
    assert.doesNotMatch(readable, /east|shop|web/);
  });

  it('one bit of it changed, anywhere; any part of it; anything else → refused, never a throw', () => {
    const bytes = Buffer.from(tokens.seal(GRANT), 'base64url');
    fc.assert(
      fc.property(fc.integer({ min: 0, max: bytes.length * 8 - 1 }), (bit) => {
        const changed = Buffer.from(bytes);
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        assert.equal(reasonOf(changed.toString('base64url')), 'MALFORMED');
      }),
    );
    fc.assert(
      fc.property(fc.integer({ min: 0, max: bytes.length - 1 }), (length) => {
        assert.equal(reasonOf(bytes.subarray(0, length).toString('base64url')), 'MALFORMED');
      }),
    );
    fc.assert(fc.property(fc.string(), (text) => assert.equal(reasonOf(text), 'MALFORMED')));
  });

  it('another spelling of the same bytes → refused', () => {
    const token = tokens.seal({ ...GRANT, connection: '0'.repeat(32) });
    for (const spelled of [
      `${token}=`,
      `${token} `,
      token.replaceAll('-', '+').replaceAll('_', '/') + '+',
      `${token}A`,
    ]) {
      assert.equal(reasonOf(spelled), 'MALFORMED');
    }
  });

  it('shown by another peer → PEER_NAME_MISMATCH, and whose it is', () => {
    const opened = tokens.open(tokens.seal(GRANT), 'north');
    assert.ok(!opened.ok);
    assert.deepEqual([opened.why.reason, opened.grant?.connection], ['PEER_NAME_MISMATCH', GRANT.connection]);
  });

  it('at the end of its life → taken; a millisecond later → INGRESS_DENIED', () => {
    const token = tokens.seal(GRANT);
    nowMs += ACCESS_TOKEN_MS;
    assert.equal(reasonOf(token), 'ok');
    nowMs++;
    assert.equal(reasonOf(token), 'INGRESS_DENIED');
  });

  it('from a clock that is ahead within the bound → taken; a millisecond more → INGRESS_DENIED', () => {
    const token = tokens.seal(GRANT);
    nowMs -= ACCESS_TOKEN_SKEW_MS;
    assert.equal(reasonOf(token), 'ok');
    nowMs--;
    assert.equal(reasonOf(token), 'INGRESS_DENIED');
  });

  it('the key is replaced → tokens of the one before live out their time, no longer; the one before that is nothing', () => {
    const first = tokens.seal(GRANT);
    keyPem = 'the next one';
    const second = tokens.seal(GRANT);
    assert.deepEqual([reasonOf(first), reasonOf(second)], ['ok', 'ok']);
    keyPem = 'a third one';
    assert.deepEqual([reasonOf(first), reasonOf(second)], ['MALFORMED', 'ok']);
    nowMs += ACCESS_TOKEN_MS + 1;
    assert.deepEqual([reasonOf(first), reasonOf(second)], ['MALFORMED', 'MALFORMED']);
  });

  it('of another key → MALFORMED', () => {
    const token = tokens.seal(GRANT);
    keyPem = 'that of another peer';
    tokens = make();
    assert.equal(reasonOf(token), 'MALFORMED');
  });

  it('the largest grant there can be → below the bound; a text beyond it → refused', () => {
    const long = `${'a'.repeat(61)}.${'b'.repeat(61)}.${'c'.repeat(61)}.${'d'.repeat(61)}.abcde`;
    assert.equal(long.length, 253);
    const token = tokens.seal({
      peer: 'p'.repeat(63),
      export: { namespace: 'n'.repeat(63), name: long },
      port: 65_535,
      asserted: { namespace: long, serviceAccount: long, labels: { a: 'x'.repeat(ASSERTED_BYTES_MAX - 8) } },
      connection: GRANT.connection,
    });
    assert.ok(token.length <= ACCESS_TOKEN_CHARS_MAX, String(token.length));
    assert.equal(reasonOf(token, 'p'.repeat(63)), 'ok');
    assert.equal(reasonOf('A'.repeat(ACCESS_TOKEN_CHARS_MAX + 1)), 'MALFORMED');
  });
});
