import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { waitForBytes } from '#src/gateway/clusterlink/wait-for-bytes.ts';

const LONG_MS = 60_000;

describe('waitForBytes', () => {
  it('bytes that come, before or after → true, and all of them are still there', async () => {
    const stream = new PassThrough();
    const waiting = waitForBytes(stream, LONG_MS);
    stream.write('abc');
    assert.equal(await waiting, true);
    assert.equal(await waitForBytes(stream, LONG_MS), true);
    assert.equal(String(stream.read()), 'abc');
  });

  it('none in time → false', async () => assert.equal(await waitForBytes(new PassThrough(), 1), false));

  it('its end, or its loss, before or after → false', async () => {
    const ended = new PassThrough();
    const ending = waitForBytes(ended, LONG_MS);
    ended.end();
    assert.equal(await ending, false);
    assert.equal(await waitForBytes(ended, LONG_MS), false);
    const lost = new PassThrough();
    const losing = waitForBytes(lost, LONG_MS);
    lost.destroy();
    assert.equal(await losing, false);
    assert.equal(await waitForBytes(lost, LONG_MS), false);
  });
});
