import assert from 'node:assert/strict';
import { REASONS } from '#src/api/reasons.ts';
import { makeExchangeMetrics, makeObserver } from '#src/cli/run/observer.ts';
import { BUFFER_BYTES_MAX } from '#src/gateway/limits.ts';
import type { ClosingRecord } from '#src/gateway/messages.ts';
import { makeSilentLogger, type Logger } from '#src/runtime/log.ts';
import { makeMetrics } from '#src/runtime/metrics.ts';

const isExport = (object: string): boolean => object === 'shop/db';

describe('makeObserver', () => {
  it('sources are ejected and come back → ejections alone are counted, by peer and reason', async () => {
    const metrics = makeMetrics({ version: '1' });
    const observer = makeObserver({ metrics, logger: makeSilentLogger(), isExport });
    const source = { peer: 'east', namespace: 'shop', name: 'db' };
    const ejected = { reason: REASONS.PeerUnreachable, message: 'silence' };
    observer.onEjection({ source, ejected });
    observer.onEjection({ source });
    observer.onEjection({ source: { ...source, name: 'web' }, ejected });
    const lines = (await metrics.expose()).split('\n').filter((line) => /^\w+_sources_ejected_total/.test(line));
    assert.deepEqual(lines, ['clusterlink_mcs_sources_ejected_total{peer="east",reason="PEER_UNREACHABLE"} 2']);
  });
});

describe('makeObserver, connections', () => {
  it('a peer asks for names of its choice, and is refused for whatever reason → names of exports alone become labels', async () => {
    const metrics = makeMetrics({ version: '1' });
    const observer = makeObserver({ metrics, logger: makeSilentLogger(), isExport });
    const record = { connection: 'c', peer: 'west', message: '', sentBytes: 0, receivedBytes: 0, durationMs: 1 };
    for (const reason of [REASONS.Aborted, REASONS.Overloaded, REASONS.NothingOffered] as const) {
      observer.onClosed({ ...record, direction: 'ingress', object: `x/${reason}`, opened: false, reason });
    }
    observer.onClosed({ ...record, direction: 'ingress', object: 'shop/db', opened: false, reason: REASONS.Aborted });
    // It was there when the connection was opened.
    observer.onClosed({ ...record, direction: 'ingress', object: 'shop/old', opened: true, reason: REASONS.Done });
    observer.onClosed({ ...record, direction: 'egress', object: 'store/db', opened: false, reason: REASONS.Aborted });
    const lines = (await metrics.expose()).split('\n').filter((line) => /^\w+_connections_total\{/.test(line));
    assert.deepEqual(
      lines.map((line) => [/import_or_export="([^"]*)"/.exec(line)?.[1], /reason="([^"]*)"/.exec(line)?.[1]]),
      [
        ['unknown', 'ABORTED'],
        ['unknown', 'OVERLOADED'],
        ['unknown', 'NOTHING_OFFERED'],
        ['shop/db', 'ABORTED'],
        ['shop/old', 'DONE'],
        ['store/db', 'ABORTED'],
      ],
    );
  });
});

describe('makeObserver, early bytes', () => {
  it('connections end whose first bytes went with the request → counted by what became of them; the others are not', async () => {
    const metrics = makeMetrics({ version: '1' });
    const observer = makeObserver({ metrics, logger: makeSilentLogger(), isExport });
    const record: Omit<ClosingRecord, 'opened' | 'reason'> = {
      ...{ connection: 'c', direction: 'egress', object: 'store/db', peer: 'east', message: '' },
      ...{ sentBytes: 0, receivedBytes: 0, durationMs: 1 },
    };
    observer.onClosed({ ...record, opened: true, reason: REASONS.Done });
    observer.onClosed({ ...record, opened: true, reason: REASONS.SessionLost, earlyBytes: 1 });
    observer.onClosed({ ...record, opened: true, reason: REASONS.Done, earlyBytes: 1 });
    observer.onClosed({ ...record, opened: false, reason: REASONS.EarlyBytesSpent, earlyBytes: 1 });
    observer.onClosed({ ...record, opened: false, reason: REASONS.IngressDenied, earlyBytes: 1 });
    const lines = (await metrics.expose()).split('\n').filter((line) => /^\w+_connections_early_total/.test(line));
    assert.deepEqual(lines, [
      'clusterlink_mcs_connections_early_total{result="opened"} 2',
      'clusterlink_mcs_connections_early_total{result="spent"} 1',
      'clusterlink_mcs_connections_early_total{result="refused"} 1',
    ]);
  });
});

describe('makeObserver, fast path', () => {
  for (const [state, gauge, lines] of [
    ['on', 1, []],
    ['switched_off', 0, ['info switched_off']],
    ['node_untested', 0, ['warn node_untested']],
    ['self_test_failed', 0, ['warn self_test_failed']],
  ] as const) {
    it(`${state} → the gauge says ${gauge}, the log why it is off`, async () => {
      const metrics = makeMetrics({ version: '1' });
      const told: string[] = [];
      const tell =
        (level: string) =>
        ({ reason }: { readonly reason: string }): void =>
          void told.push(`${level} ${reason}`);
      const logger = { ...makeSilentLogger(), info: tell('info'), warn: tell('warn') } as unknown as Logger;
      makeObserver({ metrics, logger, isExport }).onFastPath(state);
      assert.match(await metrics.expose(), new RegExp(`^clusterlink_mcs_fast_path ${gauge}$`, 'm'));
      assert.deepEqual(told, lines);
    });
  }
});

describe('makeObserver, limits', () => {
  it('a report → gauges and counters by limit and peer; what the next one does not name → no series', async () => {
    const metrics = makeMetrics({ version: '1' });
    const { onLimits } = makeObserver({ metrics, logger: makeSilentLogger(), isExport });
    const series = async (): Promise<string[]> =>
      (await metrics.expose()).split('\n').filter((line) => /^\w+_(?:limit|buffered)_\w+[ {]/.test(line));
    onLimits({
      usages: [
        { limit: 'buffers', peer: '', ratio: 0.25, refused: 0 },
        { limit: 'streams', peer: 'west', ratio: 0.5, refused: 3 },
      ],
      bufferedBytes: [['west', 1_000]],
      bufferedBytesTotal: 1_000,
    });
    assert.deepEqual((await series()).sort(), [
      'clusterlink_mcs_buffered_bytes_process 1000',
      `clusterlink_mcs_buffered_bytes_process_max ${BUFFER_BYTES_MAX}`,
      'clusterlink_mcs_buffered_bytes{peer="west"} 1000',
      'clusterlink_mcs_limit_refusals_total{limit="streams",peer="west"} 3',
      'clusterlink_mcs_limit_used_ratio{limit="buffers",peer=""} 0.25',
      'clusterlink_mcs_limit_used_ratio{limit="streams",peer="west"} 0.5',
    ]);
    onLimits({
      usages: [{ limit: 'buffers', peer: '', ratio: 0, refused: 0 }],
      bufferedBytes: [],
      bufferedBytesTotal: 0,
    });
    assert.deepEqual((await series()).sort(), [
      'clusterlink_mcs_buffered_bytes_process 0',
      `clusterlink_mcs_buffered_bytes_process_max ${BUFFER_BYTES_MAX}`,
      'clusterlink_mcs_limit_refusals_total{limit="streams",peer="west"} 3',
      'clusterlink_mcs_limit_used_ratio{limit="buffers",peer=""} 0',
    ]);
  });
});

describe('makeExchangeMetrics', () => {
  const usage = { records: 0.5, records_lost: 0, record_bytes: 0.25, namespaces: 1 };

  it('what a peer uses, what is held and refused of it → by peer and limit; it is forgotten → no series', async () => {
    const metrics = makeMetrics({ version: '1' });
    const exchange = makeExchangeMetrics(metrics);
    const series = async (): Promise<string[]> =>
      (await metrics.expose()).split('\n').filter((line) => /^\w+_(?:limit_\w+|records_held)\{/.test(line));
    exchange.onUsage('east', usage);
    exchange.onHeld('east', 12);
    exchange.onRefused('east', 'namespaces');
    exchange.onLeftOut('east', 7);
    assert.deepEqual((await series()).sort(), [
      'clusterlink_mcs_limit_refusals_total{limit="namespaces",peer="east"} 1',
      'clusterlink_mcs_limit_used_ratio{limit="exports_told",peer="east"} 1',
      'clusterlink_mcs_limit_used_ratio{limit="namespaces",peer="east"} 1',
      'clusterlink_mcs_limit_used_ratio{limit="record_bytes",peer="east"} 0.25',
      'clusterlink_mcs_limit_used_ratio{limit="records",peer="east"} 0.5',
      'clusterlink_mcs_limit_used_ratio{limit="records_lost",peer="east"} 0',
      'clusterlink_mcs_records_held{peer="east"} 12',
    ]);
    exchange.onUsage('east', undefined);
    exchange.onHeld('east', undefined);
    exchange.onLeftOut('east', 0);
    assert.deepEqual(await series(), ['clusterlink_mcs_limit_refusals_total{limit="namespaces",peer="east"} 1']);
  });
});
