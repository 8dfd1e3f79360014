import assert from 'node:assert/strict';
import { ASSERTED_BYTES_MAX } from '#src/gateway/clusterlink/limits.ts';
import { parseAuthz, parseRequest, type AuthzRequest } from '#src/gateway/clusterlink/requests.ts';

describe('parseRequest', () => {
  const cases: { name: string; head: [string, string, Record<string, string>?]; want: object | 'ERR_MALFORMED' }[] = [
    { name: 'a heartbeat', head: ['GET', '/healthz'], want: { kind: 'healthz' } },
    { name: 'a heartbeat with a query', head: ['GET', '/healthz?a'], want: 'ERR_MALFORMED' },
    { name: 'a heartbeat with a body', head: ['GET', '/healthz', { 'content-length': '1' }], want: 'ERR_MALFORMED' },
    { name: 'another method', head: ['HEAD', '/healthz'], want: 'ERR_MALFORMED' },
    {
      name: 'a question',
      head: ['POST', '/authz', { 'content-length': '9' }],
      want: { kind: 'authz', body: { kind: 'length', bytes: 9 } },
    },
    { name: 'a question without a body', head: ['POST', '/authz'], want: { kind: 'authz', body: { kind: 'none' } } },
    { name: 'a question by GET', head: ['GET', '/authz'], want: 'ERR_MALFORMED' },
    {
      name: 'a connection, wherever to',
      head: ['CONNECT', 'somebody', { authorization: 'Bearer a.b-c_' }],
      want: { kind: 'connect', token: 'a.b-c_' },
    },
    { name: 'one without a token', head: ['CONNECT', 'west:443'], want: 'ERR_MALFORMED' },
    {
      name: 'one of another scheme',
      head: ['CONNECT', 'west:443', { authorization: 'Basic abc' }],
      want: 'ERR_MALFORMED',
    },
    {
      name: 'the scheme in small letters',
      head: ['CONNECT', 'west:443', { authorization: 'bearer a' }],
      want: 'ERR_MALFORMED',
    },
    { name: 'two tokens', head: ['CONNECT', 'west:443', { authorization: 'Bearer a b' }], want: 'ERR_MALFORMED' },
  ];
  for (const { name, head, want } of cases) {
    it(`${name} → ${want === 'ERR_MALFORMED' ? want : 'read'}`, () => {
      const [method, target, fields = {}] = head;
      const read = (): unknown => parseRequest({ method, target, fields: new Map(Object.entries(fields)) });
      if (want === 'ERR_MALFORMED') assert.throws(read, { code: want });
      else assert.deepEqual(read(), want);
    });
  }
});

describe('parseAuthz', () => {
  const read = (value: unknown): AuthzRequest => parseAuthz(Buffer.from(JSON.stringify(value)));
  const NS = 'client.clusterlink.net/namespace';
  const LABEL = 'client.clusterlink.net/labels.';

  it('all there is, keys in any case, unknown ones → read', () => {
    const SrcAttributes = {
      [NS]: 'web',
      'client.clusterlink.net/service-account': 'front',
      [`${LABEL}app`]: 'ui',
      [`${LABEL}none`]: null,
      'peer.clusterlink.net/name': 'east',
      'peer.clusterlink.net/labels.tier': 'gold',
    };
    assert.deepEqual(read({ serviceNAME: 'db', ServiceNamespace: 'shop', SRCattributes: SrcAttributes, more: [1] }), {
      export: { namespace: 'shop', name: 'db' },
      asserted: { namespace: 'web', serviceAccount: 'front', labels: { app: 'ui', none: '' } },
      claimedPeer: 'east',
    });
  });

  for (const [name, attributes] of [
    ['null', null],
    ['left out', undefined],
    ['empty', {}],
  ] as const) {
    it(`attributes ${name} → a client of which nothing is known`, () => {
      assert.equal(read({ ServiceName: 'db', ServiceNamespace: 'shop', SrcAttributes: attributes }).asserted, null);
    });
  }

  it('a namespace that is null, or none → unknown; no labels → none', () => {
    for (const namespace of [null, '', 'No Name', 'x'.repeat(300)]) {
      assert.deepEqual(read({ SrcAttributes: { [NS]: namespace } }).asserted, { labels: {} });
    }
  });

  it('labels at the bound → read; one byte more → all of them unknown', () => {
    const labelled = (length: number): unknown =>
      read({ SrcAttributes: { [`${LABEL}a`]: 'x'.repeat(length) } }).asserted;
    const most = ASSERTED_BYTES_MAX - '{"a":""}'.length;
    assert.deepEqual(labelled(most), { labels: { a: 'x'.repeat(most) } });
    assert.deepEqual(labelled(most + 1), {});
  });

  it('a label that is called __proto__ → a label like others', () => {
    const { asserted } = parseAuthz(Buffer.from(`{"SrcAttributes":{"${LABEL}__proto__":"x"}}`));
    assert.deepEqual(Object.entries(asserted?.labels ?? {}), [['__proto__', 'x']]);
  });

  it('a name that no export can have, or none → no export', () => {
    for (const name of ['', 'DB', 'a/b', '..', 'a'.repeat(254), null, undefined]) {
      assert.equal(read({ ServiceName: name, ServiceNamespace: 'shop' }).export, undefined);
    }
  });

  const bad: [string, string][] = [
    ['nothing', ''],
    ['no JSON', '{'],
    ['no UTF-8', '"\xff"'],
    ['null', 'null'],
    ['a list', '[]'],
    ['a number as name', '{"ServiceName":1}'],
    ['attributes that are a list', '{"SrcAttributes":[]}'],
    ['attributes that are a text', '{"SrcAttributes":"a"}'],
    ['an attribute that is a number', '{"SrcAttributes":{"a":1}}'],
    ['an attribute with a line end', '{"SrcAttributes":{"a":"b\\n"}}'],
    ['a key with an escape', '{"SrcAttributes":{"\\u001b":"b"}}'],
    ['a field twice, in two cases', '{"ServiceName":"a","servicename":"b"}'],
  ];
  for (const [name, text] of bad) {
    it(`${name} → ERR_MALFORMED`, () =>
      assert.throws(() => parseAuthz(Buffer.from(text, 'latin1')), { code: 'ERR_MALFORMED' }));
  }
});
