/** Everything here that parses bytes of a peer, a client or a user, each with what must be true whatever the bytes are. */
import assert from 'node:assert/strict';
import { stringify } from 'yaml';
import { makeFastPath } from '#src/dns/fast-path.ts';
import { respond } from '#src/dns/respond.ts';
import { compileZone } from '#src/dns/zone-book.ts';
import { parseExporterMessage, parseImporterMessage } from '#src/exchange/messages.ts';
import { parseList } from '#src/fabric/parse-crl.ts';
import { readList } from '#src/fabric/revocation.ts';
import { parseControlLine } from '#src/gateway/hello.ts';
import { encodeAnswer, encodeConnect, parseAnswer, parseStreamRequest } from '#src/gateway/wire/connect.ts';
import { makeRequestHeadParser, makeResponseHeadParser } from '#src/gateway/wire/head.ts';
import { encodeSource, parseSource } from '#src/gateway/wire/source.ts';
import { encodeHeader, FLAGS, FRAME_TYPES, makeFrameDecoder } from '#src/gateway/yamux/frame.ts';
import { parseManifestFile } from '#src/store/directory/manifest.ts';
import { FIXTURE, ZONE } from '#test/support/dns-fixture.ts';
import { makeQuery, readReply } from '#test/support/dns-wire.ts';
import { exportManifest, peerManifest, policyManifest, ruleManifest } from '#test/support/standalone.ts';
import { CLUSTERLINK_TARGETS } from './clusterlink-targets.ts';
import { headOf, refusable, text, type Target } from './target.ts';

export type { Target } from './target.ts';

function json(parse: (value: unknown) => unknown): (bytes: Buffer) => void {
  return (bytes) => {
    let told: unknown;
    try {
      told = JSON.parse(bytes.toString());
    } catch {
      return;
    }
    const first = refusable(() => parse(told));
    if (first?.value === undefined) return;
    // What was taken is taken again, and as the same.
    const told2 = JSON.parse(JSON.stringify(first.value)) as unknown;
    assert.equal(JSON.stringify(parse(told2)), JSON.stringify(first.value));
  };
}

const DIGEST = 'a'.repeat(64);
const CONNECT = encodeConnect({
  exporter: 'east',
  export: { namespace: 'shop', name: 'db' },
  port: { port: 5432, protocol: 'TCP' },
  source: { 'client/namespace': 'store' },
  client: 'abc',
  connection: '0123456789abcdef0123456789abcdef',
  via: ['west'],
  crit: [],
});
/** A revocation list of two certificates, DER. */
const LIST = Buffer.from(
  [
    'MIIBEzCBugIBATAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDEwRhY21lFw0yNjExMjExMjAwMDBaFw0yNjEyMjExMjAwMDBaMEYwIQIC',
    'AKEXDTI2MTEyMTEyMDAwMFowDDAKBgNVHRUEAwoBCTAhAgJLzRcNMjYxMTIxMTIwMDAwWjAMMAoGA1UdFQQDCgEJoDIwMDAfBgNV',
    'HSMEGDAWgBTM9sC2imlk+Mjs304bMpGvcWKbFDANBgNVHRQEBgIEawGHwDAKBggqhkjOPQQDAgNIADBFAiEAtjpuV0uEYd6Qaew1',
    'rJadhqAl1R0QkDx68ik/2Wbt7fQCIETvWtGlqA2kz9GqHu4E+hTB6cd29OSvnyWBSS22tiVC',
  ].join(''),
  'base64',
);
const zone = compileZone(FIXTURE);
const fastPath = makeFastPath();

export const TARGETS: readonly Target[] = [
  {
    name: 'head of a request',
    seeds: [CONNECT, Buffer.from('POST /authz HTTP/1.1\r\nhost: east\r\ncontent-length: 2\r\n\r\n{}')],
    bytesMax: 20_000,
    check(bytes) {
      const head = headOf(makeRequestHeadParser(), bytes);
      const request = head === undefined ? undefined : refusable(() => parseStreamRequest(head))?.value;
      if (request?.kind !== 'connect') return;
      const again = makeRequestHeadParser().push(encodeConnect(request.request));
      assert.deepEqual(again === undefined ? undefined : parseStreamRequest(again.head), request);
    },
  },
  {
    name: 'head of an answer',
    seeds: [encodeAnswer({ ok: false, status: 503, reason: 'overloaded' })],
    bytesMax: 20_000,
    check(bytes) {
      const head = headOf(makeResponseHeadParser(), bytes);
      const answer = head === undefined ? undefined : refusable(() => parseAnswer(head))?.value;
      if (answer === undefined) return;
      const again = makeResponseHeadParser().push(encodeAnswer(answer));
      assert.deepEqual(again === undefined ? undefined : parseAnswer(again.head), answer);
    },
  },
  {
    name: 'attributes of a client',
    seeds: [text({ 'client/namespace': 'store' }), text(null)],
    bytesMax: 4_096,
    check(bytes) {
      const parsed = refusable(() => parseSource(bytes.toString('base64url')));
      if (parsed !== undefined) assert.deepEqual(parseSource(encodeSource(parsed.value)), parsed.value);
    },
  },
  {
    name: 'frames of a session',
    seeds: [
      Buffer.concat([
        encodeHeader({ type: FRAME_TYPES.data, flags: FLAGS.syn, streamId: 3, length: 4 }),
        Buffer.from('abcd'),
        encodeHeader({ type: FRAME_TYPES.windowUpdate, flags: FLAGS.rst, streamId: 3, length: 0 }),
      ]),
    ],
    bytesMax: 4_096,
    check(bytes) {
      let payloadBytes = 0;
      const decoder = makeFrameDecoder({
        onHeader: () => undefined,
        onPayload: (payload) => (payloadBytes += payload.length),
        onFrameEnd: () => undefined,
      });
      refusable(() => decoder.push(bytes));
      assert.ok(payloadBytes <= bytes.length);
    },
  },
  {
    name: 'control line',
    seeds: [
      text({ hello: { peer: 'east', epoch: 'e', instance: 'i', version: '1', features: ['x'], streams: 100 } }),
      text({ closed: { stream: 3, reason: 'denied' } }),
      text({ drain: { deadlineMs: 5_000 } }),
    ],
    bytesMax: 4_096,
    check: json(parseControlLine),
  },
  {
    name: 'line of an exporter',
    seeds: [
      text({ op: 'synced', digest: DIGEST, epoch: 'e' }),
      text({ op: 'withdrawn', namespace: 'shop', name: 'db' }),
    ],
    bytesMax: 16_384,
    check: json(parseExporterMessage),
  },
  {
    name: 'line of an importer',
    seeds: [
      text({ op: 'watch', have: DIGEST }),
      text({ op: 'report', conflicts: [], imports: [{ namespace: 'shop', name: 'db' }] }),
    ],
    bytesMax: 16_384,
    check: json(parseImporterMessage),
  },
  {
    name: 'revocation list',
    seeds: [LIST],
    bytesMax: 4_000,
    check(bytes) {
      const parsed = refusable(() => parseList(bytes))?.value;
      const list = refusable(() => readList(bytes.toString('base64')))?.value;
      if (list === undefined) return;
      // What is taken was understood, and is all that was said.
      assert.deepEqual(list.entries, parsed?.entries);
      assert.ok(list.number >= 0n && list.entries.every(({ serial }) => /^[0-9a-f]{1,42}$/.test(serial)));
    },
  },
  {
    name: 'query of DNS',
    seeds: [makeQuery(`web.shop.svc.${ZONE}`, { type: 'A' }), makeQuery(ZONE, { type: 'SOA', udpBytes: 1_232 })],
    bytesMax: 2_048,
    check(bytes) {
      for (const transport of ['udp', 'tcp'] as const) {
        const outcome = respond(bytes, { transport, zone, clientIsLoopback: true, rotation: 1 });
        if (outcome.kind === 'drop') continue;
        assert.equal(outcome.failure, undefined);
        assert.equal(outcome.bytes.readUInt16BE(0), bytes.readUInt16BE(0));
        if (outcome.type !== undefined) readReply(outcome.bytes);
        const quick = fastPath.respond(bytes, { zone, clientIsLoopback: true, rotation: 1 });
        if (transport === 'udp' && quick !== undefined) assert.deepEqual(quick.bytes, outcome.bytes);
      }
    },
  },
  {
    name: 'manifest',
    seeds: [
      exportManifest('web', 80, 8_080),
      `${ruleManifest()}---\n${stringify(policyManifest('store'))}`,
      peerManifest({ name: 'east', gatewayPort: 4_443 }),
    ].map((manifest) => Buffer.from(manifest)),
    bytesMax: 4_096,
    check(bytes) {
      const { problems, complete } = parseManifestFile({ path: 'x.yaml', text: bytes.toString() });
      for (const { message, fix } of problems) assert.doesNotMatch(message + fix, /[\p{Cc}\p{Cf}\u2028\u2029]/u);
      if (!complete) assert.ok(problems.some(({ severity }) => severity === 'error'));
    },
  },
  ...CLUSTERLINK_TARGETS,
];
