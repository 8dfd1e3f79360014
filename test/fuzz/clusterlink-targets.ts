/** Parsers of ClusterLink's form: what importers ask this gateway, and what exporters answer it. */
import assert from 'node:assert/strict';
import { makeAccessTokens, type AccessGrant } from '#src/gateway/clusterlink/access-token.ts';
import { encodeAuthz, parseAuthzAnswer, refusalOfTunnel } from '#src/gateway/clusterlink/authz.ts';
import { framingOf, makeBodyParser } from '#src/gateway/clusterlink/body.ts';
import { encodeHeartbeat, parseHeartbeatAnswer } from '#src/gateway/clusterlink/heartbeat-answer.ts';
import {
  ACCESS_TOKEN_CHARS_MAX,
  ASSERTED_BYTES_MAX,
  PEER_LABELS_MAX,
  REQUEST_BODY_BYTES_MAX,
} from '#src/gateway/clusterlink/limits.ts';
import { parseAuthz, parseRequest } from '#src/gateway/clusterlink/requests.ts';
import { makeBodiedRequestHeadParser, makeBodiedResponseHeadParser } from '#src/gateway/wire/head.ts';
import { refusable, text, type Target } from './target.ts';

const NOW_MS = 1_800_000_000_000;
const tokens = makeAccessTokens({ keyPem: () => 'key', nowMs: () => NOW_MS });
const GRANT: AccessGrant = {
  ...{ peer: 'east', export: { namespace: 'shop', name: 'db' }, port: 5432 },
  ...{ asserted: { namespace: 'store', labels: { app: 'web' } }, connection: '0123456789abcdef0123456789abcdef' },
};
const TOKEN = tokens.seal(GRANT);
const AUTHZ = encodeAuthz('west:443', {
  export: { namespace: 'shop', name: 'db' },
  source: { namespace: 'store', serviceAccount: 'web', 'labels.app': 'web' },
  self: { name: 'east', labels: { region: 'eu' } },
});
const lines = (...all: readonly string[]): Buffer => Buffer.from(`${all.join('\r\n')}\r\n\r\n`);
const LABELS = Buffer.from('{"a":"b"}').toString('base64');

export const CLUSTERLINK_TARGETS: readonly Target[] = [
  {
    name: 'request in ClusterLink’s form',
    seeds: [
      AUTHZ,
      encodeHeartbeat('west:443'),
      lines('CONNECT west:443 HTTP/1.1', 'Host: west:443', `Authorization: Bearer ${TOKEN}`),
      Buffer.from('POST /authz HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n'),
    ],
    bytesMax: 20_000,
    check(bytes) {
      const whole = refusable(() => readRequest(bytes));
      // Cut anywhere, it is the same.
      const byByte = refusable(() => readRequest(bytes, 1));
      assert.deepEqual(byByte, whole);
      if (whole?.value?.body !== undefined) assert.ok(whole.value.body.length <= REQUEST_BODY_BYTES_MAX);
    },
  },
  {
    name: 'body of /authz',
    seeds: [
      AUTHZ.subarray(AUTHZ.indexOf('{')),
      text({ servicename: 'db', ServiceNamespace: 'shop', SrcAttributes: null, more: [1] }),
      text({ ServiceName: 'db', SrcAttributes: { 'client.clusterlink.net/labels.__proto__': 'x' } }),
    ],
    bytesMax: 20_000,
    check(bytes) {
      const asked = refusable(() => parseAuthz(bytes))?.value;
      if (asked === undefined) return;
      const labels = asked.asserted?.labels ?? {};
      assert.ok(Buffer.byteLength(JSON.stringify(labels)) <= ASSERTED_BYTES_MAX);
      if (asked.export === undefined) return;
      // Whatever is asked for can be granted, and the token says the same again.
      const grant = { ...GRANT, export: asked.export, asserted: asked.asserted };
      const token = tokens.seal(grant);
      assert.ok(token.length <= ACCESS_TOKEN_CHARS_MAX);
      assert.deepEqual(tokens.open(token, GRANT.peer), { ok: true, grant });
    },
  },
  {
    name: 'access token',
    seeds: [Buffer.from(TOKEN), Buffer.from('abc')],
    bytesMax: 5_000,
    check(bytes) {
      const token = bytes.toString('latin1');
      const opened = tokens.open(token, GRANT.peer);
      assert.equal(opened.ok, token === TOKEN);
      assert.equal(tokens.open(token, 'north').ok, false);
    },
  },
  {
    name: 'answer in ClusterLink’s form',
    seeds: [
      lines('HTTP/1.1 200 OK', `Clusterlinkpeerlabels: ${LABELS}`, 'Content-Length: 0'),
      lines('HTTP/1.1 200 OK', 'x-access-token: abc.def', 'content-length: 0'),
      lines('HTTP/1.1 403 Forbidden', 'Content-Length: 2'),
    ],
    bytesMax: 20_000,
    check(bytes) {
      const head = refusable(() => makeBodiedResponseHeadParser().push(bytes))?.value?.head;
      if (head === undefined) return;
      const labels = refusable(() => parseHeartbeatAnswer(head))?.value ?? {};
      assert.ok(Object.keys(labels).length <= PEER_LABELS_MAX);
      const answer = refusable(() => parseAuthzAnswer('west', head))?.value;
      if (answer?.ok === true) assert.match(answer.token, /^[\x21-\x7e]+$/);
      else if (answer !== undefined) assert.match(answer.message, /^[\x20-\x7e]+$/);
      assert.match(refusalOfTunnel('west', head.status).message, /^[\x20-\x7e]+$/);
    },
  },
];

/** As the server reads it: head, kind, body, and how many bytes are left for the next one. Undefined: more would have to come. */
function readRequest(bytes: Buffer, pieceBytes = bytes.length) {
  let left = bytes;
  const next = (): Buffer => {
    const piece = left.subarray(0, pieceBytes);
    left = left.subarray(piece.length);
    return piece;
  };
  const read = <T>(parser: { push(chunk: Buffer): { head: T; rest: Buffer } | undefined }): T | undefined => {
    while (left.length > 0) {
      const parsed = parser.push(next());
      if (parsed === undefined) continue;
      left = Buffer.concat([parsed.rest, left]);
      return parsed.head;
    }
    return undefined;
  };
  const head = read(makeBodiedRequestHeadParser());
  if (head === undefined) return undefined;
  const request = parseRequest(head);
  const framing = framingOf(head.fields);
  const body = framing.kind === 'none' ? Buffer.alloc(0) : read(makeBodyParser(framing));
  return body === undefined ? undefined : { request, body, left: left.length };
}
