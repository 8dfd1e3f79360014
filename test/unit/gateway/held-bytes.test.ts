import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { heldBytesOf } from '#src/gateway/held-bytes.ts';

const MARK = 100;

describe('heldBytesOf', () => {
  let side: Duplex;
  beforeEach(() => {
    side = new Duplex({ highWaterMark: MARK, read: () => undefined, write: () => undefined });
  });
  afterEach(() => side.destroy());

  it('nobody has paused it → what waits, either way', () => {
    side.push('12345');
    side.write('123');
    assert.equal(heldBytesOf(side), 8);
  });

  it('its reader has paused → as much as it fills up to, or more where more is there', () => {
    side.pause();
    assert.equal(heldBytesOf(side), MARK);
    side.push(Buffer.alloc(MARK + 1));
    assert.equal(heldBytesOf(side), MARK + 1);
  });

  it('it has ended, or is gone → nothing comes any more', async () => {
    side.resume();
    side.push(null);
    await new Promise((resolve) => side.once('end', resolve));
    side.pause();
    assert.equal(heldBytesOf(side), 0);
    side.destroy();
    assert.equal(heldBytesOf(side), 0);
  });
});
