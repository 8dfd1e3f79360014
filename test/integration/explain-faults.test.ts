/** `explain` against real faults between two peers as processes, asked at one of them alone. */
import assert from 'node:assert/strict';
import { EXPLAIN_FAULTS } from '#test/faults/explain.ts';
import { HOPS, type Explanation } from '#src/gateway/hops.ts';
import { makeStagedPair, type StagedPair } from '#test/support/stage.ts';
import { waitFor } from '#test/support/wait.ts';

/** What the issue promises, for one question. */
const ANSWER_MS = 10_000;

describe('explain under faults', function () {
  this.timeout(60_000);
  let pair: StagedPair;

  before(async () => {
    pair = await makeStagedPair();
  });
  after(() => pair.close());
  afterEach(() => pair.undo());

  it('no fault → every hop is ok', async () => {
    const { ok, hops } = await pair.west.explain('store/catalog:80');
    assert.equal(ok, true, JSON.stringify(hops));
    assert.deepEqual(
      hops.map(({ hop }) => hop),
      HOPS,
    );
  });

  it('the table → 25 faults, at least two for each hop', () => {
    assert.equal(EXPLAIN_FAULTS.length, 25);
    for (const hop of HOPS) assert.ok(EXPLAIN_FAULTS.filter((fault) => fault.hop === hop).length >= 2, hop);
  });

  for (const { name, target, hop, code, subject, fix, bring } of EXPLAIN_FAULTS) {
    it(`${name} → fails at ${hop} with ${code}, the object and what mends it`, async () => {
      await bring?.(pair.stage);
      let last: Explanation | undefined;
      let slowestMs = 0;
      // What was brought about needs a moment to be in force, and may go through other faults until then.
      await waitFor(`${hop} ${code}`, async () => {
        const startedMs = performance.now();
        last = await pair.west.explain(target);
        slowestMs = Math.max(slowestMs, performance.now() - startedMs);
        const failed = last.hops.at(-1);
        return failed?.hop === hop && failed.code === code && fix.test(failed.fix ?? '');
      }).catch(() => undefined);
      const failed = last?.hops.at(-1);
      assert.deepEqual(
        [last?.ok, failed?.ok, failed?.hop, failed?.code],
        [false, false, hop, code],
        JSON.stringify(last),
      );
      assert.match(failed?.subject ?? '', subject);
      assert.match(failed?.fix ?? '', fix);
      assert.ok(slowestMs < ANSWER_MS, `took ${slowestMs} ms`);
      assert.deepEqual(
        last?.hops.slice(0, -1).filter(({ ok }) => !ok),
        [],
      );
    });
  }
});
