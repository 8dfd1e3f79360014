import assert from 'node:assert/strict';
import {
  encodeAuthz,
  encodeTunnelRequest,
  parseAuthzAnswer,
  refusalOfTunnel,
  toAttributes,
} from '#src/gateway/clusterlink/authz.ts';
import { TOKEN_CHARACTERS_MAX } from '#src/gateway/clusterlink/limits.ts';

const self = { name: 'east', labels: { region: 'us' } };
const key = { namespace: 'shop', name: 'db' };

describe('toAttributes', () => {
  it('a client that is known → the keys of policies, of the client and of this peer', () => {
    const source = { namespace: 'web', serviceAccount: 'front', 'labels.app': 'ui', 'labels.a.b/c': 'd' };
    assert.deepEqual(toAttributes({ source, self }), {
      'peer.clusterlink.net/name': 'east',
      'peer.clusterlink.net/labels.region': 'us',
      'client.clusterlink.net/namespace': 'web',
      'client.clusterlink.net/service-account': 'front',
      'client.clusterlink.net/labels.app': 'ui',
      'client.clusterlink.net/labels.a.b/c': 'd',
    });
  });
  it('a client that is not known → nothing at all, not even whose it is', () => {
    assert.equal(toAttributes({ source: null, self }), null);
  });
});

describe('encodeAuthz', () => {
  it('a client that is not known → the exact bytes, null for attributes', () => {
    const body = '{"ServiceName":"db","ServiceNamespace":"shop","SrcAttributes":null}';
    assert.equal(
      encodeAuthz('gw.example:443', { export: key, source: null, self }).toString(),
      `POST /authz HTTP/1.1\r\nHost: gw.example:443\r\nContent-Length: ${body.length}\r\nContent-Type: application/json; charset=utf-8\r\n\r\n${body}`,
    );
  });
  it('a label that is not ASCII → its length in bytes', () => {
    const bytes = encodeAuthz('h:1', { export: key, source: { 'labels.a': 'é' }, self });
    const [head = '', body = ''] = bytes.toString('latin1').split('\r\n\r\n');
    assert.ok(head.includes(`Content-Length: ${body.length}\r\n`), head);
  });
});

describe('encodeTunnelRequest', () => {
  it('a token → the exact bytes, with nothing of client or import in them (§8 item 10)', () => {
    assert.equal(
      encodeTunnelRequest('west', 't.o-k').toString(),
      'CONNECT west:443 HTTP/1.1\r\nHost: west:443\r\nAuthorization: Bearer t.o-k\r\n\r\n',
    );
  });
});

describe('parseAuthzAnswer', () => {
  const answer = (status: number, token?: string) => ({
    status,
    fields: new Map(token === undefined ? [] : [['x-access-token', token]]),
  });

  it('200 with a token → the token, as it is', () => {
    assert.deepEqual(parseAuthzAnswer('west', answer(200, 'a.b.c')), { ok: true, token: 'a.b.c' });
    const longest = 't'.repeat(TOKEN_CHARACTERS_MAX);
    assert.deepEqual(parseAuthzAnswer('west', answer(200, longest)), { ok: true, token: longest });
  });
  for (const [what, token] of [
    ['no token', undefined],
    ['an empty one', ''],
    ['one with a space, which would end the scheme', 'a b'],
    ['one with a tab', 'a\tb'],
    ['one that is too long', 't'.repeat(TOKEN_CHARACTERS_MAX + 1)],
  ] as const) {
    it(`200 with ${what} → malformed`, () => {
      assert.throws(() => parseAuthzAnswer('west', answer(200, token)), { code: 'ERR_MALFORMED' });
    });
  }
  for (const [status, reason] of [
    [403, 'INGRESS_DENIED'],
    [404, 'NOTHING_OFFERED'],
    [429, 'OVERLOADED'],
    [500, 'NO_USABLE_SOURCE'],
    [503, 'NO_USABLE_SOURCE'],
    [400, 'MALFORMED'],
    [201, 'MALFORMED'],
    [204, 'MALFORMED'],
    [302, 'MALFORMED'],
    [100, 'MALFORMED'],
  ] as const) {
    it(`${status} → ${reason}, with a token or without`, () => {
      for (const token of [undefined, 't']) {
        const parsed = parseAuthzAnswer('west', answer(status, token));
        assert.equal(parsed.ok ? 'yes' : parsed.reason, reason);
      }
    });
  }
});

describe('refusalOfTunnel', () => {
  for (const [status, reason] of [
    [403, 'INGRESS_DENIED'],
    [404, 'NOTHING_OFFERED'],
    [500, 'NO_USABLE_SOURCE'],
    [503, 'NO_USABLE_SOURCE'],
    [201, 'MALFORMED'],
    [407, 'MALFORMED'],
  ] as const) {
    it(`${status} → ${reason}`, () => assert.equal(refusalOfTunnel('west', status).reason, reason));
  }
});
