import assert from 'node:assert/strict';
import { keyOfName } from '#src/dns/name.ts';
import { RCODE, type DnsRecord } from '#src/dns/records.ts';
import { respond, type Outcome } from '#src/dns/respond.ts';
import { compileZone } from '#src/dns/zone-book.ts';
import type { Zone } from '#src/dns/zone.ts';
import { FIXTURE, ZONE } from '#test/support/dns-fixture.ts';
import { A_IN, ID, makeMessage, makeName, makeQuery, OPT, readReply } from '#test/support/dns-wire.ts';

const zone = compileZone(FIXTURE);
const WEB = `web.shop.svc.${ZONE}`;

function replyTo(message: Buffer, asked: Zone | undefined = zone): Extract<Outcome, { kind: 'reply' }> {
  const outcome = respond(message, { transport: 'udp', zone: asked, clientIsLoopback: false, rotation: 0 });
  assert.ok(outcome.kind === 'reply');
  return outcome;
}

describe('respond', () => {
  it('a query → its answer, with type and code for the counters', () => {
    const { bytes, rcode, type, failure } = replyTo(makeQuery(WEB));
    assert.deepEqual({ rcode, type, failure }, { rcode: RCODE.NOERROR, type: 1, failure: undefined });
    assert.equal(readReply(bytes).answers.length, 1);
  });

  it('malformed → FORMERR, the id and no more than a header', () => {
    const { bytes, type } = replyTo(makeMessage([2, 0, 0, 0], makeName('x'), A_IN, makeName('y'), A_IN));
    const { id, rcode, questions } = readReply(bytes);
    assert.deepEqual({ id, rcode, questions, type }, { id: ID, rcode: RCODE.FORMERR, questions: [], type: undefined });
    assert.equal(bytes.length, 12);
  });

  it('EDNS version 1 → BADVERS, whatever is asked', () => {
    const opt = [...OPT];
    opt[6] = 1;
    const { rcode, bytes } = replyTo(makeMessage([1, 0, 0, 1], makeName('example'), A_IN, opt));
    assert.equal(rcode, RCODE.BADVERS);
    assert.equal(readReply(bytes).questions.length, 1);
  });

  it('a reply → dropped', () => {
    const message = makeQuery(WEB);
    message.writeUInt16BE(0x8180, 2);
    const outcome = respond(message, { transport: 'udp', zone, clientIsLoopback: false, rotation: 0 });
    assert.deepEqual(outcome, { kind: 'drop', reason: 'not-a-query' });
  });

  it('a record that cannot be encoded → SERVFAIL and the reason, no throw', () => {
    const bad: DnsRecord = { type: 'A', name: ZONE, ttlSeconds: 4, address: 'not an address' };
    const node = { records: new Map([[1, [bad]]]), targets: [] };
    const names = zone.names.with(new Map([[keyOfName(ZONE), { forLoopback: node, forOthers: node }]]));
    const broken: Zone = { ...zone, names };
    const { rcode, failure, bytes } = replyTo(makeQuery(ZONE), broken);
    assert.equal(rcode, RCODE.SERVFAIL);
    assert.ok(failure instanceof Error);
    assert.equal(readReply(bytes).id, ID);
  });
});
