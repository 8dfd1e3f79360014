import assert from 'node:assert/strict';
import { mock } from 'node:test';
import { STALLED_MS } from '#src/gateway/clusterlink/limits.ts';
import { watchStalled, type StalledWatch } from '#src/gateway/clusterlink/stalled.ts';

interface Fake {
  readonly name: string;
  unansweredMs(): number;
}

describe('watchStalled', () => {
  let tunnels: Set<Fake>;
  let watch: StalledWatch;
  let reachable: boolean;
  let looks: number;
  let cuts: string[];
  let silentMs: Record<string, number>;

  beforeEach(() => {
    mock.timers.enable({ apis: ['setTimeout'] });
    [reachable, looks, cuts] = [false, 0, []];
    silentMs = { idle: 0, waiting: STALLED_MS - 1, stalled: STALLED_MS };
    tunnels = new Set(Object.keys(silentMs).map((name) => ({ name, unansweredMs: () => silentMs[name] ?? 0 })));
    watch = watchStalled({
      tunnels,
      reach: () => Promise.resolve((looks++, reachable)),
      cut(tunnel) {
        cuts.push(tunnel.name);
        tunnels.delete(tunnel);
        watch.ended();
      },
    });
  });
  afterEach(() => mock.timers.reset());

  async function pass(ms: number): Promise<void> {
    mock.timers.tick(ms);
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
  }

  it('it cannot be reached → those whose bytes went unanswered for as long are cut; the others when they are', async () => {
    await pass(STALLED_MS - 1);
    assert.deepEqual([looks, cuts], [0, []]);
    await pass(1);
    assert.deepEqual([looks, cuts], [1, ['stalled']]);
    silentMs.waiting = STALLED_MS;
    await pass(STALLED_MS);
    assert.deepEqual(cuts, ['stalled', 'waiting']);
  });

  it('it can be reached: its control plane has gone, or the path is back → nothing is cut, and the watch is over', async () => {
    reachable = true;
    await pass(STALLED_MS);
    reachable = false;
    await pass(2 * STALLED_MS);
    assert.deepEqual([looks, cuts], [1, []]);
  });

  it('the last tunnel has ended → the watch is over', async () => {
    tunnels.clear();
    watch.ended();
    await pass(2 * STALLED_MS);
    assert.equal(looks, 0);
  });
});
