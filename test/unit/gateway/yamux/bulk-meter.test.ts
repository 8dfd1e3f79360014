import assert from 'node:assert/strict';
import { makeBulkMeter } from '#src/gateway/yamux/bulk-meter.ts';
import { BULK_BYTES, BULK_FOR_MS, BULK_WITHIN_MS } from '#src/gateway/yamux/limits.ts';

describe('makeBulkMeter', () => {
  let nowMs: number;
  beforeEach(() => {
    nowMs = 0;
  });

  it('nothing, or one burst → no bulk', () => {
    const meter = makeBulkMeter(() => nowMs);
    assert.equal(meter.isBulk, false);
    meter.add(BULK_BYTES);
    assert.equal(meter.isBulk, false);
  });

  it('as much again in time → bulk, until nothing came for a while', () => {
    const meter = makeBulkMeter(() => nowMs);
    meter.add(BULK_BYTES);
    nowMs += BULK_WITHIN_MS;
    meter.add(BULK_BYTES / 2);
    assert.equal(meter.isBulk, false);
    meter.add(BULK_BYTES / 2);
    assert.equal(meter.isBulk, true);
    nowMs += BULK_FOR_MS;
    assert.equal(meter.isBulk, true);
    nowMs += 1;
    assert.equal(meter.isBulk, false);
  });

  it('as much in a longer time → no bulk', () => {
    const meter = makeBulkMeter(() => nowMs);
    for (let count = 0; count < 10; count++) {
      meter.add(BULK_BYTES);
      nowMs += BULK_WITHIN_MS + 1;
    }
    assert.equal(meter.isBulk, false);
  });
});
