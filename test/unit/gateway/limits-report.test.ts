import assert from 'node:assert/strict';
import { makeAccount } from '#src/gateway/account.ts';
import { HANDSHAKES_MAX, HANDSHAKES_WAITING_MAX } from '#src/gateway/limits.ts';
import { startLimitsReport } from '#src/gateway/limits-report.ts';
import type { LimitsReport } from '#src/gateway/messages.ts';
import { makePeerBounds } from '#src/gateway/peer-bounds.ts';
import { waitFor } from '#test/support/wait.ts';

describe('startLimitsReport', () => {
  it('a change → one report with peers, process and handshakes; nothing new → silence', async () => {
    const account = makeAccount();
    const bounds = makePeerBounds({ account, now: () => 0, onRefused: () => undefined });
    const told: LimitsReport[] = [];
    let looks = 0;
    const reporter = startLimitsReport({
      account,
      bounds,
      handshakes: () => (looks++, { inFlight: HANDSHAKES_MAX / 2, waiting: HANDSHAKES_WAITING_MAX / 4 }),
      tell: (report) => told.push(report),
      everyMs: 1,
    });
    bounds.of('east').stream();
    bounds.of('east').refuse('streams');
    reporter.refuse('handshake_rate');
    await waitFor('it has looked', () => looks > 20);
    reporter.close();
    const [first] = told;
    const find = (wanted: string, peer: string) =>
      first?.usages.find(({ limit, peer: whose }) => limit === wanted && whose === peer);
    assert.equal(find('handshakes', '')?.ratio, 0.5);
    assert.equal(find('handshakes_waiting', '')?.ratio, 0.25);
    assert.equal(find('handshake_rate', '')?.refused, 1);
    assert.equal(find('streams', 'east')?.refused, 1);
    assert.ok((first?.bufferedBytesTotal ?? 0) > 0);
    assert.deepEqual(first?.bufferedBytes, [['east', first?.bufferedBytesTotal]]);
    // What was refused is told once, and after that the same numbers are not told again.
    assert.equal(told.length, 2);
    assert.equal(
      told[1]?.usages.find(({ limit }) => limit === 'handshake_rate'),
      undefined,
    );
  });
});
