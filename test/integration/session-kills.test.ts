/** The integrity of connections while the session that carries them is killed every second. `npm run bench -- soak` is its long form. */
import assert from 'node:assert/strict';
import { forgetUserBuffers } from '#src/gateway/slabs/user-buffer.ts';
import { runIntegrity, type IntegrityReport } from '#test/support/integrity.ts';

/** So that it does not hold because nothing passed, or nothing was cut. */
const isEnough = ({ done, cut, kills }: IntegrityReport): boolean => done > 10 && cut > 0 && kills >= 3;

describe('connections over sessions that are killed', function () {
  this.timeout(60_000);
  after(() => forgetUserBuffers());

  for (const [fastPath, vip] of [
    ['on', '127.99.7.1'],
    ['off', '127.99.7.2'],
  ] as const) {
    it(`fast path ${fastPath}, once a second at random → every byte, or ECONNRESET; never a clean end that lies`, async () => {
      const report = await runIntegrity({
        ...{ fastPath, vip, clients: 16, killEveryMs: 1_000 },
        ...{ durationMs: 4_000, durationMaxMs: 25_000, isEnough },
      });
      assert.deepEqual(report.lies, [], JSON.stringify(report));
      assert.ok(isEnough(report), JSON.stringify(report));
    });
  }
});
