import assert from 'node:assert/strict';
import fc from 'fast-check';
import { encodeHeartbeat, parseHeartbeatAnswer } from '#src/gateway/clusterlink/heartbeat-answer.ts';
import { PEER_LABELS_CHARACTERS_MAX, PEER_LABELS_MAX } from '#src/gateway/clusterlink/limits.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const answer = (header?: string, status = 200) => ({
  status,
  fields: new Map(header === undefined ? [] : [['clusterlinkpeerlabels', header]]),
});
const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, 'v']));

describe('parseHeartbeatAnswer', () => {
  for (const [what, header, labels] of [
    ['labels as Go and Envoy write them', 'eyJhIjoiYiJ9', { a: 'b' }],
    ['null', 'bnVsbA==', {}],
    ['no labels', 'e30=', {}],
    ['no header at all, as v0.4.0 (§8 item 33)', undefined, {}],
    ['an empty header', '', {}],
    ['no base64', '{"a":"b"}', {}],
    ['no JSON', base64('{'), {}],
    ['no UTF-8', Buffer.from([0x22, 0xff, 0x22]).toString('base64'), {}],
    ['a list', base64('["a"]'), {}],
    ['a value that is no text', base64('{"a":1}'), {}],
    ['a value that is no label', base64('{"a":"b c"}'), {}],
    ['a key that is no label', base64('{"a/b/c":"d"}'), {}],
    ['a key with a prefix', base64('{"example.com/a":"b"}'), { 'example.com/a': 'b' }],
    ['as many as may be', base64(JSON.stringify(many(PEER_LABELS_MAX))), many(PEER_LABELS_MAX)],
    ['one more', base64(JSON.stringify(many(PEER_LABELS_MAX + 1))), {}],
    ['too long a header', 'A'.repeat(PEER_LABELS_CHARACTERS_MAX + 4), {}],
  ] as const) {
    it(`${what} → ${Object.keys(labels).length} labels, and it lives`, () => {
      assert.deepEqual(parseHeartbeatAnswer(answer(header)), labels);
    });
  }
  it('another status → malformed, whatever its labels', () => {
    for (const status of [201, 204, 301, 403, 500]) {
      assert.throws(() => parseHeartbeatAnswer(answer('eyJhIjoiYiJ9', status)), { code: 'ERR_MALFORMED' });
    }
  });
  it('any text → labels or none, never an error; `__proto__` is no label', () => {
    fc.assert(fc.property(fc.string(), (text) => void parseHeartbeatAnswer(answer(base64(text)))));
    fc.assert(
      fc.property(fc.json(), (json) => {
        for (const value of Object.values(parseHeartbeatAnswer(answer(base64(json)))))
          assert.equal(typeof value, 'string');
      }),
    );
    assert.deepEqual(parseHeartbeatAnswer(answer(base64('{"__proto__":"a"}'))), {});
  });
});

describe('encodeHeartbeat', () => {
  it('a host → the exact bytes', () => {
    assert.equal(encodeHeartbeat('h:1').toString(), 'GET /healthz HTTP/1.1\r\nHost: h:1\r\n\r\n');
  });
});
