/** The interop matrix between two emulated ClusterLink peers: what fails here is wrong in the table, not in the product. */
import assert from 'node:assert/strict';
import { CASES } from '#test/interop/cases.ts';
import { makeEmulatedDriver } from '#test/interop/emulated.ts';
import { runPairing } from '#test/interop/run.ts';

/** They move a lot, and `npm run interop` has them. */
const SLOW = ['large', '1,000 in parallel'];

describe('interop matrix', function () {
  this.timeout(60_000);

  it('Go exports, Envoy imports, both emulated → every quick case holds', async () => {
    const driver = await makeEmulatedDriver();
    try {
      const cases = CASES.filter(({ name, waits }) => waits !== true && !SLOW.includes(name));
      const results = await runPairing({ driver, pairing: { exporter: 'go', importer: 'envoy' }, cases });
      assert.deepEqual(
        results.filter(({ ok }) => !ok),
        [],
      );
      assert.equal(results.length, cases.length);
    } finally {
      await driver.close();
    }
  });
});
