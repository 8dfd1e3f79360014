import assert from 'node:assert/strict';
import { makeClientNetworks } from '#src/dns/clients.ts';
import { SOURCES_MAX } from '#src/dns/limits.ts';
import { makeReplyLimiter } from '#src/dns/rate-limit.ts';
import { makeSources } from '#src/dns/sources.ts';

const clients = makeClientNetworks(['10.0.0.0/8', 'fd00::/8']);
const make = () => makeSources(clients, makeReplyLimiter({ nowMs: () => 0, repliesPerSecond: 2 }));

describe('makeSources', () => {
  it('the same address again → the same source, without a decision', () => {
    let decisions = 0;
    const classify = (address: string) => {
      decisions += 1;
      return clients.classify(address);
    };
    const sources = makeSources({ classify }, makeReplyLimiter({ nowMs: () => 0, repliesPerSecond: 2 }));
    const texts = ['10.0.0.1', 'fd00::1', '192.0.2.1'];
    const first = texts.map((text) => sources.of(text));
    assert.deepEqual(
      first.map((source) => source?.client.address),
      ['10.0.0.1', 'fd00::1', undefined],
    );
    // Other texts with the same characters, as a socket gives them.
    const again = texts.map((text) => sources.of(Buffer.from(text).toString()));
    assert.ok(again.every((source, index) => source === first[index]));
    assert.equal(decisions, texts.length);
  });

  it('more addresses than places → each its own, and what its network has left', () => {
    const sources = make();
    const texts = Array.from({ length: 2 * SOURCES_MAX }, (_, index) => `10.1.${index >> 8}.${index & 0xff}`);
    for (const text of texts) assert.equal(sources.of(text)?.client.address, text);
    assert.deepEqual(
      [1, 2, 3].map(() => sources.of(texts[0] ?? '')?.replies.take()),
      [true, true, false],
    );
    for (const text of texts) assert.equal(sources.of(text)?.client.address, text);
    assert.equal(sources.of(texts[1] ?? '')?.replies.take(), false, 'of the same network');
    assert.equal(sources.of('192.0.2.1'), undefined);
  });
});
