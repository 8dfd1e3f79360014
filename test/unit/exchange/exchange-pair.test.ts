import assert from 'node:assert/strict';
import type { ExportRecord } from '#src/api/record.ts';
import { makeExchangeClient } from '#src/exchange/client.ts';
import { EMPTY_LEDGER, recordsOf, type Ledger } from '#src/exchange/ledger.ts';
import {
  ABSENCE_GRACE_MS,
  CHANGES_AT_ONCE_MAX,
  CHANGES_PER_SECOND_MAX,
  DIGEST_INTERVAL_MIN_MS,
  DIGEST_INTERVAL_MS,
} from '#src/exchange/limits.ts';
import { REOPEN_MIN_MS, SILENCE_TIMEOUT_MS, WITHDRAWAL_QUIET_MS } from '#src/exchange/limits.ts';
import { makeExchangeServer, type PeerReport } from '#src/exchange/server.ts';
import type { ExchangeHandlers, OpenExchange } from '#src/exchange/transport.ts';
import { CRL_BYTES_MAX, CRLS_MAX } from '#src/fabric/limits.ts';
import { makeManualClock, makeRecord } from './samples.ts';

/** A server and a client joined by a wire that the test can cut, and whose lines it can count. */
function makePair() {
  const clock = makeManualClock();
  const reports: PeerReport[] = [];
  const problems: string[] = [];
  const lines: unknown[] = [];
  let cutWire = (): void => undefined;
  let hear: (line: unknown) => number = () => 0;
  let opened = 0;
  let muted = false;
  const server = makeExchangeServer({
    epoch: 'one',
    clock,
    onReport: (_peer, report) => reports.push(report),
    onProblem: (_peer, problem) => problems.push(problem),
  });
  const open: OpenExchange = (_peer, client) => {
    opened++;
    hear = client.onLine;
    let live = true;
    let serverSide: ExchangeHandlers | undefined;
    const cut = (reason: string): void => {
      if (!live) return;
      live = false;
      serverSide?.onClosed(reason);
      client.onClosed(reason);
    };
    cutWire = () => cut('cut');
    clock.after(0, () => {
      if (!live) return;
      serverSide = server.accept('west', {
        send: (line) => {
          if (!live || muted) return true;
          lines.push(line);
          client.onLine(JSON.parse(JSON.stringify(line)));
          return true;
        },
        close: () => cut('closed by the exporter'),
      });
      client.onOpened();
    });
    return {
      send: (line) => {
        if (live) serverSide?.onLine(JSON.parse(JSON.stringify(line)));
        return true;
      },
      close: () => cut('closed by the importer'),
    };
  };
  let ledger: Ledger = EMPTY_LEDGER;
  let changes = 0;
  const client = makeExchangeClient({
    peer: 'east',
    open,
    clock,
    ledger,
    onChange(next) {
      ledger = next;
      changes++;
    },
    onProblem: (problem) => problems.push(problem),
  });
  return {
    clock,
    server,
    client,
    reports,
    problems,
    lines,
    cut: () => cutWire(),
    /** From now on nothing that the exporter says arrives. */
    mute: () => void (muted = true),
    /** The exporter says something out of turn. */
    say: (line: unknown) => hear(line),
    opened: () => opened,
    changes: () => changes,
    revocations: () => ledger.revocations,
    names: () =>
      recordsOf(ledger)
        .map(({ name }) => name)
        .sort(),
    publish: (...records: ExportRecord[]) => server.publish(() => records),
  };
}

describe('makeExchangeClient and makeExchangeServer', () => {
  it('published before the peer comes → a snapshot; then changes and withdrawals one by one', () => {
    const pair = makePair();
    pair.publish(makeRecord('db'), makeRecord('web'));
    pair.client.setReachable(true);
    pair.clock.advance(1);
    assert.deepEqual(pair.names(), ['db', 'web']);
    pair.publish(makeRecord('db', { readyEndpoints: 2 }), makeRecord('web'));
    pair.publish(makeRecord('db', { readyEndpoints: 2 }));
    pair.clock.advance(WITHDRAWAL_QUIET_MS);
    assert.deepEqual(pair.names(), ['db']);
    assert.deepEqual(
      pair.lines.slice(3).map((line) => (line as { op: string }).op),
      ['record', 'withdrawn'],
    );
  });

  it('nothing published yet → no answer: a half-known catalogue would read as withdrawals', () => {
    const pair = makePair();
    pair.client.setReachable(true);
    pair.clock.advance(1);
    assert.deepEqual(pair.lines, []);
    pair.publish();
    assert.equal(pair.lines.length, 1);
  });

  it('published again without a change → no line, no change', () => {
    const pair = makePair();
    pair.publish(makeRecord('db'));
    pair.client.setReachable(true);
    pair.clock.advance(1);
    const before = { lines: pair.lines.length, changes: pair.changes() };
    pair.publish(makeRecord('db'));
    assert.deepEqual({ lines: pair.lines.length, changes: pair.changes() }, before);
  });

  it('the wire is cut and comes back → unchanged is said in one line, nothing is lost', () => {
    const pair = makePair();
    pair.publish(makeRecord('db'));
    pair.client.setReachable(true);
    pair.clock.advance(1);
    pair.cut();
    assert.deepEqual(pair.names(), ['db']);
    pair.clock.advance(REOPEN_MIN_MS + 1);
    assert.equal(pair.opened(), 2);
    assert.deepEqual(pair.lines.at(-1), { op: 'unchanged' });
  });

  it('withdrawn while the wire was cut → gone after the grace time, not before', () => {
    const pair = makePair();
    pair.publish(makeRecord('db'), makeRecord('web'));
    pair.client.setReachable(true);
    pair.clock.advance(1);
    pair.cut();
    pair.publish(makeRecord('db'));
    pair.clock.advance(REOPEN_MIN_MS + 1);
    assert.deepEqual(pair.names(), ['db', 'web']);
    pair.clock.advance(ABSENCE_GRACE_MS);
    assert.deepEqual(pair.names(), ['db']);
  });

  it('the heart beat carries the digest → the stream stays', () => {
    const pair = makePair();
    pair.publish(makeRecord('db'));
    pair.client.setReachable(true);
    pair.clock.advance(DIGEST_INTERVAL_MS + 1);
    assert.equal((pair.lines.at(-1) as { op: string }).op, 'digest');
    assert.equal(pair.opened(), 1);
  });

  it('heart beats that are wrong → one breaks the stream; one too soon after another is passed over, and costs nothing', () => {
    const pair = makePair();
    pair.publish(makeRecord('db'));
    pair.client.setReachable(true);
    pair.clock.advance(DIGEST_INTERVAL_MS + 1);
    const wrong = { op: 'digest', digest: '0'.repeat(64) };
    pair.say(wrong);
    assert.deepEqual(pair.problems, []);
    pair.clock.advance(DIGEST_INTERVAL_MIN_MS);
    pair.say(wrong);
    assert.equal(pair.problems.length, 1);
  });

  it('a report → said on opening and on change, whole', () => {
    const pair = makePair();
    pair.publish();
    pair.client.setReport({ conflicts: [], imports: [{ namespace: 'shop', name: 'db' }] });
    pair.client.setReachable(true);
    pair.clock.advance(1);
    pair.client.setReport({ conflicts: [], imports: [] });
    assert.deepEqual(
      pair.reports.map(({ imports }) => imports.length),
      [1, 0],
    );
  });

  it('a member and a label that the importer does not keep → the records are taken, and unchanged is said later', () => {
    const pair = makePair();
    const record = { ...makeRecord('db', { labels: { constructor: 'x' } }), inventedLater: { a: 1 } };
    pair.publish(record);
    pair.client.setReachable(true);
    pair.clock.advance(1);
    assert.deepEqual([pair.names(), pair.problems], [['db'], []]);
    pair.cut();
    pair.clock.advance(REOPEN_MIN_MS + 1);
    assert.deepEqual(pair.lines.at(-1), { op: 'unchanged' });
  });

  it('an exporter that falls silent although its session lives → asked anew', () => {
    const pair = makePair();
    pair.publish(makeRecord('db'));
    pair.client.setReachable(true);
    pair.clock.advance(1);
    pair.mute();
    pair.clock.advance(SILENCE_TIMEOUT_MS - 2);
    assert.equal(pair.opened(), 1);
    pair.clock.advance(REOPEN_MIN_MS + 3);
    assert.equal(pair.opened(), 2);
    assert.deepEqual(pair.names(), ['db']);
  });

  it('unreachable → nothing is tried', () => {
    const pair = makePair();
    pair.client.setReachable(false);
    pair.clock.advance(60_000);
    assert.equal(pair.opened(), 0);
  });
});

describe('publishRevocations', () => {
  const listsOf = (lines: readonly unknown[]): unknown[] =>
    lines.flatMap((line) =>
      (line as { op: string }).op === 'revocations' ? [(line as { lists: unknown }).lists] : [],
    );

  it('published before and after the peer comes → told after the snapshot, and whole on every change', () => {
    const pair = makePair();
    pair.publish(makeRecord('db'));
    pair.server.publishRevocations(['AAAA']);
    pair.client.setReachable(true);
    pair.clock.advance(1);
    assert.deepEqual(
      pair.lines.map((line) => (line as { op: string }).op),
      ['record', 'synced', 'revocations'],
    );
    pair.server.publishRevocations(['AAAA']);
    pair.server.publishRevocations(['AAAA', 'BBBB']);
    pair.server.publishRevocations([]);
    assert.deepEqual(listsOf(pair.lines), [['AAAA'], ['AAAA', 'BBBB'], []]);
    assert.deepEqual(pair.revocations(), []);
  });

  it('a peer that comes back with all it knows → told again, after "unchanged"', () => {
    const pair = makePair();
    pair.publish(makeRecord('db'));
    pair.server.publishRevocations(['AAAA']);
    pair.client.setReachable(true);
    pair.clock.advance(1);
    const before = pair.changes();
    pair.cut();
    pair.clock.advance(REOPEN_MIN_MS + 1);
    assert.deepEqual(
      pair.lines.slice(3).map((line) => (line as { op: string }).op),
      ['unchanged', 'revocations'],
    );
    assert.deepEqual([pair.revocations(), pair.changes()], [['AAAA'], before]);
  });

  it('an importer of the version before, which asks without features → told its records, and no lists', () => {
    const lines: { op: string }[] = [];
    const clock = makeManualClock();
    const ignore = () => undefined;
    const server = makeExchangeServer({ epoch: 'one', clock, onReport: ignore, onProblem: ignore });
    server.publish(() => [makeRecord('db')]);
    const stream = server.accept('west', { send: (line) => lines.push(line as { op: string }) > 0, close: ignore });
    stream.onLine({ op: 'watch', have: null });
    server.publishRevocations(['AAAA']);
    assert.deepEqual(
      lines.map(({ op }) => op),
      ['record', 'synced'],
    );
    server.close();
  });

  for (const [name, lists] of [
    ['too many', Array.from({ length: CRLS_MAX + 1 }, () => 'A')],
    ['one that is too long', ['A'.repeat(CRL_BYTES_MAX + 1)]],
    ['control characters', ['A\u0000']],
    ['no text', [1]],
  ] as const) {
    it(`a peer says ${name} → the exchange begins anew, what was known stays`, () => {
      const pair = makePair();
      pair.publish(makeRecord('db'));
      pair.server.publishRevocations(Array.from({ length: CRLS_MAX }, () => 'A'.repeat(CRL_BYTES_MAX)));
      pair.client.setReachable(true);
      pair.clock.advance(1);
      assert.equal(pair.revocations().length, CRLS_MAX);
      pair.say({ op: 'revocations', lists });
      assert.equal(pair.problems.length, 1);
      assert.equal(pair.revocations().length, CRLS_MAX);
    });
  }
});

describe('setFrozen', () => {
  it('frozen → not heard, nothing expires; free again → asked anew', () => {
    const pair = makePair();
    pair.publish(makeRecord('db'), makeRecord('web'), makeRecord('www'));
    pair.client.setReachable(true);
    pair.clock.advance(1);
    pair.publish(makeRecord('db'), makeRecord('web'));
    pair.client.setFrozen(true);
    pair.publish(makeRecord('db'));
    pair.clock.advance(60_000);
    assert.deepEqual([pair.names(), pair.opened()], [['db', 'web', 'www'], 1]);
    pair.client.setFrozen(false);
    pair.clock.advance(ABSENCE_GRACE_MS + 1);
    assert.deepEqual([pair.names(), pair.opened(), pair.problems], [['db'], 2, []]);
  });
});

describe('onLine', () => {
  it(`${CHANGES_AT_ONCE_MAX} changes at once → no wait; beyond → as long as the pace asks`, () => {
    const pair = makePair();
    pair.publish(makeRecord('db'));
    pair.client.setReachable(true);
    pair.clock.advance(1);
    const change = (readyEndpoints: number) => pair.say({ op: 'record', record: makeRecord('db', { readyEndpoints }) });
    for (let index = 0; index < CHANGES_AT_ONCE_MAX; index++) assert.equal(change(index), 0);
    // What the loop itself took has paid for some.
    const waits = Array.from({ length: CHANGES_AT_ONCE_MAX }, (_, index) => change(index));
    assert.ok((waits.at(-1) ?? 0) > 0);
    assert.ok(waits.every((waitMs) => waitMs <= CHANGES_AT_ONCE_MAX * (1_000 / CHANGES_PER_SECOND_MAX)));
    assert.deepEqual(pair.problems, []);
  });
});

describe('makeExchangeServer', () => {
  /** A stream that takes `room` lines and then none until `take`. */
  function makeSlowStream(room: number) {
    const lines: { op: string }[] = [];
    return {
      lines,
      send(line: unknown) {
        lines.push(line as { op: string });
        return lines.length % room !== 0;
      },
      close: () => undefined,
    };
  }
  const watch = { op: 'watch', have: null };
  const server = () => {
    const clock = makeManualClock();
    return { clock, ...makeExchangeServer({ epoch: 'one', clock, onReport() {}, onProblem() {} }) };
  };

  it('a slow importer → no line is made ahead of what it takes; a change meanwhile comes behind, once', () => {
    const { publish, accept } = server();
    const records = Array.from({ length: 10 }, (_, index) => makeRecord(`r${index}`));
    publish(() => records);
    const stream = makeSlowStream(4);
    const handlers = accept('west', stream);
    handlers.onLine(watch);
    assert.equal(stream.lines.length, 4);
    for (const readyEndpoints of [7, 8, 9]) publish(() => [makeRecord('r0', { readyEndpoints }), ...records.slice(1)]);
    assert.equal(stream.lines.length, 4);
    for (let turn = 0; turn < 3; turn++) handlers.onWritable();
    assert.deepEqual(
      stream.lines.map(({ op }) => op),
      [...records.map(() => 'record'), 'synced', 'record'],
    );
    assert.equal((stream.lines.at(-1) as unknown as { record: ExportRecord }).record.readyEndpoints, 9);
  });

  it('an importer that takes nothing → no heart beat queues for it', () => {
    const { publish, accept, clock } = server();
    publish(() => [makeRecord('db')]);
    const stream = makeSlowStream(2);
    accept('west', stream).onLine(watch);
    clock.advance(10 * DIGEST_INTERVAL_MS);
    assert.equal(stream.lines.length, 2);
  });
});
