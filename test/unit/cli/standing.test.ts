import assert from 'node:assert/strict';
import { makeStanding, type Standing } from '#src/cli/run/standing.ts';
import { makeMetrics, type Metrics } from '#src/runtime/metrics.ts';

describe('makeStanding', () => {
  let metrics: Metrics;
  let standing: Standing;
  let nowMs: number;
  beforeEach(() => {
    nowMs = 1_000_500;
    metrics = makeMetrics({ version: '1', seriesMax: 2 });
    standing = makeStanding({ metrics, clock: { nowMs: () => nowMs } });
  });

  async function series(name: string): Promise<string[]> {
    const lines = (await metrics.expose()).split('\n');
    return lines
      .filter((line) => line.startsWith(`clusterlink_mcs_${name}{`))
      .map((line) => line.replace(/^[^{]+/, ''));
  }
  const observe = (name: string, ...usable: boolean[]): void =>
    standing.onImport({
      key: { namespace: 'store', name },
      listeners: [],
      sources: usable.map((isUsable) => ({ peer: 'east', namespace: 'shop', name, usable: isUsable })),
    });
  const see = (reason?: 'PEER_UNKNOWN'): void =>
    standing.onPeer({
      name: 'east',
      sessions: 1,
      message: '',
      certificateExpires: '2026-11-21T00:00:00.000Z',
      epochs: [],
      ...(reason === undefined ? { version: '1' } : { reason }),
    });

  it('no usable source → a series; one again → none', async () => {
    observe('db', false, false);
    observe('web', false, true);
    observe('none');
    assert.deepEqual(await series('import_without_source'), ['{import="store/db"} 1', '{import="store/none"} 1']);
    observe('db', true);
    observe('none', true);
    assert.deepEqual(await series('import_without_source'), []);
  });

  it('the import goes → its series goes', async () => {
    observe('db', false);
    standing.retainImports(new Set());
    assert.deepEqual(await series('import_without_source'), []);
  });

  it('more imports than series → the others are counted, up and down', async () => {
    for (const name of ['a', 'b', 'c', 'd']) observe(name, false);
    assert.equal((await series('import_without_source')).at(-1), '{import="other"} 2');
    observe('d', true);
    assert.equal((await series('import_without_source')).at(-1), '{import="other"} 1');
  });

  it('a peer that has confirmed nothing → 0, and when its certificate ends; it goes → neither', async () => {
    see();
    assert.deepEqual(await series('records_confirmed_timestamp_seconds'), ['{peer="east"} 0']);
    assert.deepEqual(await series('peer_certificate_expiry_timestamp_seconds'), ['{peer="east"} 1795219200']);
    see('PEER_UNKNOWN');
    assert.deepEqual(await series('records_confirmed_timestamp_seconds'), []);
    assert.deepEqual(await series('peer_certificate_expiry_timestamp_seconds'), []);
  });

  it('its records are confirmed → now', async () => {
    see();
    standing.onConfirmed('east');
    assert.deepEqual(await series('records_confirmed_timestamp_seconds'), ['{peer="east"} 1000']);
  });

  it('those of a peer that is gone → no series', async () => {
    see('PEER_UNKNOWN');
    standing.onConfirmed('east');
    assert.deepEqual(await series('records_confirmed_timestamp_seconds'), []);
  });
});
