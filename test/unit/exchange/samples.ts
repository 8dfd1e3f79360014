/** Records and a clock for tests of the exchange. */
import type { ExportRecord } from '#src/api/record.ts';
import type { ExchangeMetrics } from '#src/exchange/peer-alarms.ts';
import type { Clock } from '#src/runtime/clock.ts';

export function makeRecord(name: string, changes: Partial<ExportRecord> = {}): ExportRecord {
  return {
    namespace: 'shop',
    name,
    uid: `uid-${name}`,
    type: 'ClusterSetIP',
    ports: [{ name: 'pg', protocol: 'TCP', port: 5432 }],
    createdAt: '2026-11-20T10:00:00Z',
    readyEndpoints: 1,
    ...changes,
  };
}

export const SILENT_METRICS: ExchangeMetrics = {
  onUsage: () => undefined,
  onHeld: () => undefined,
  onRefused: () => undefined,
  onLeftOut: () => undefined,
  onConfirmed: () => undefined,
};

/** Time that moves when the test says so; callbacks run in the order of their time. */
export interface ManualClock extends Clock {
  advance(ms: number): void;
}

export function makeManualClock(startMs = Date.parse('2026-11-20T12:00:00Z')): ManualClock {
  let nowMs = startMs;
  const waiting = new Map<number, { dueMs: number; callback: () => void }>();
  let nextId = 0;
  return {
    nowMs: () => nowMs,
    after(ms, callback) {
      const id = nextId++;
      waiting.set(id, { dueMs: nowMs + ms, callback });
      return () => waiting.delete(id);
    },
    advance(ms) {
      const endMs = nowMs + ms;
      for (;;) {
        const [next] = [...waiting].sort(([a, x], [b, y]) => x.dueMs - y.dueMs || a - b);
        if (next === undefined || next[1].dueMs > endMs) break;
        waiting.delete(next[0]);
        nowMs = next[1].dueMs;
        next[1].callback();
      }
      nowMs = endMs;
    },
  };
}
