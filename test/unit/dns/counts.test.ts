import assert from 'node:assert/strict';
import { makeCounts, readCounts, type CountSink } from '#src/dns/counts.ts';
import { RCODE, TYPE } from '#src/dns/records.ts';

function collect(): CountSink & { readonly told: string[] } {
  const told: string[] = [];
  return {
    told,
    addReplies: ({ transport, path, type, rcode }, by) => told.push(`${transport} ${path} ${type} ${rcode} ${by}`),
    addDrops: ({ transport, reason }, by) => told.push(`${transport} ${reason} ${by}`),
  };
}

describe('counts', () => {
  it('every combination once → each told by its words, once; then nothing', () => {
    const counts = makeCounts();
    const reader = readCounts(counts.memory);
    const want: string[] = [];
    for (const transport of ['udp', 'tcp'] as const) {
      for (const path of ['fast', 'full'] as const) {
        for (const [type, code] of [
          ...Object.entries(TYPE),
          ['other', 65_280] as const,
          ['none', undefined] as const,
        ]) {
          for (const [rcode, rcodeNumber] of [...Object.entries(RCODE), ['other', 9] as const]) {
            counts.countReply(transport, path, code, rcodeNumber);
            want.push(`${transport} ${path} ${type} ${rcode} 1`);
          }
        }
      }
      for (const reason of ['send', 'slow-client', 'client-not-allowed'] as const) {
        counts.countDrop(transport, reason);
        want.push(`${transport} ${reason} 1`);
      }
    }
    const first = collect();
    reader.take(first);
    assert.deepEqual(first.told.toSorted(), want.toSorted());
    const second = collect();
    reader.take(second);
    assert.deepEqual(second.told, []);
  });

  it('a cell goes round at 2^32 → what came is told all the same', () => {
    const counts = makeCounts();
    const reader = readCounts(counts.memory);
    const almost = 2 ** 32 - 1;
    counts.countDrop('udp', 'send');
    const cells = new Uint32Array(counts.memory);
    cells[cells.findIndex((cell) => cell === 1)] = almost;
    const sink = collect();
    reader.take(sink);
    counts.countDrop('udp', 'send');
    counts.countDrop('udp', 'send');
    reader.take(sink);
    assert.deepEqual(sink.told, [`udp send ${almost}`, 'udp send 2']);
  });
});
