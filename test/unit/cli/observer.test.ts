import assert from 'node:assert/strict';
import { REASONS } from '#src/api/reasons.ts';
import { makeObserver } from '#src/cli/run/observer.ts';
import { makeSilentLogger } from '#src/runtime/log.ts';
import { makeMetrics } from '#src/runtime/metrics.ts';

describe('makeObserver', () => {
  it('sources are ejected and come back → ejections alone are counted, by peer and reason', async () => {
    const metrics = makeMetrics({ version: '1' });
    const observer = makeObserver({ metrics, logger: makeSilentLogger() });
    const source = { peer: 'east', namespace: 'shop', name: 'db' };
    const ejected = { reason: REASONS.PeerUnreachable, message: 'silence' };
    observer.onEjection({ source, ejected });
    observer.onEjection({ source });
    observer.onEjection({ source: { ...source, name: 'web' }, ejected });
    const lines = (await metrics.expose()).split('\n').filter((line) => /^\w+_sources_ejected_total/.test(line));
    assert.deepEqual(lines, ['clusterlink_mcs_sources_ejected_total{peer="east",reason="PEER_UNREACHABLE"} 2']);
  });
});
