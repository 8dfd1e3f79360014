import assert from 'node:assert/strict';
import { REASONS } from '#src/api/reasons.ts';
import { makeEjections, type Ejections } from '#src/gateway/ejection.ts';
import { ANSWER_TIMEOUT_MS, SOURCES_PER_CONNECTION_MAX, SWITCH_AFTER_MS } from '#src/gateway/limits.ts';
import type { RouteSource } from '#src/gateway/messages.ts';
import { trySources, type SourceFailure, type SourceOutcome } from '#src/gateway/try-sources.ts';

function makeSource(peer: string): RouteSource {
  return { peer, namespace: 'shop', name: 'db', ports: [5432], readyEndpoints: 1 };
}

interface Opened {
  readonly ok: true;
}
/** How long a source takes to answer, and what; a number alone is a yes after as many milliseconds. */
type Behaviour =
  | number
  | { readonly afterMs: number; readonly reason: SourceFailure['reason']; readonly spent?: true }
  | { readonly turnAfterMs: number };
const never = Infinity;
const refuses: Behaviour = { afterMs: 1, reason: REASONS.NoUsableSource };

describe('trySources', () => {
  let nowMs: number;
  let ejections: Ejections;
  let log: string[];
  let gone: boolean;
  beforeEach(() => {
    nowMs = 0;
    log = [];
    gone = false;
    ejections = makeEjections({ now: () => nowMs, self: 'west', onChange: () => undefined });
  });

  function run(behaviours: Readonly<Record<string, Behaviour>>, denied: string[] = []): Promise<SourceOutcome<Opened>> {
    return trySources<Opened>({
      sources: Object.keys(behaviours).map(makeSource),
      ejections,
      mayTry: ({ peer }) => !denied.includes(peer),
      isGone: () => gone,
      open({ peer }, timeoutMs): Promise<Opened | SourceFailure> {
        if (denied.includes(peer)) return Promise.resolve({ ok: false, reason: REASONS.EgressDenied, message: 'no' });
        log.push(`${peer} ${timeoutMs}`);
        const behaviour = behaviours[peer] ?? never;
        if (typeof behaviour === 'object' && 'turnAfterMs' in behaviour) {
          nowMs += Math.min(behaviour.turnAfterMs, timeoutMs);
          if (behaviour.turnAfterMs <= timeoutMs) return Promise.resolve({ ok: true });
          return Promise.resolve({ ok: false, reason: REASONS.Overloaded, message: 'a row', unasked: true });
        }
        const afterMs = typeof behaviour === 'number' ? behaviour : behaviour.afterMs;
        nowMs += Math.min(afterMs, timeoutMs);
        const { reason } = typeof behaviour === 'number' ? { reason: REASONS.PeerUnreachable } : behaviour;
        if (afterMs > timeoutMs) return Promise.resolve({ ok: false, reason, message: 'silence', overdue: true });
        if (typeof behaviour === 'number') return Promise.resolve({ ok: true });
        const { spent = false } = behaviour;
        return Promise.resolve({ ok: false, reason, message: 'refused', spent });
      },
    });
  }
  const whereOf = (outcome: SourceOutcome<Opened>): string => (outcome.ok ? outcome.source.peer : outcome.reason);
  const [short, long] = [SWITCH_AFTER_MS, ANSWER_TIMEOUT_MS];

  const cases: {
    name: string;
    sources: Record<string, Behaviour>;
    denied?: string[];
    want: string;
    tries: string[];
  }[] = [
    { name: 'one alone → all the time', sources: { a: 9_000 }, want: 'a', tries: [`a ${long}`] },
    {
      name: 'the first never answers → the next after the short time',
      sources: { a: never, b: 5 },
      want: 'b',
      tries: [`a ${short}`, `b ${long}`],
    },
    {
      name: 'those that are left are denied → all the time',
      sources: { a: 9_000, b: 5 },
      denied: ['b'],
      want: 'a',
      tries: [`a ${long}`],
    },
    {
      name: 'no turn at the first, the others refuse → it waits there in the end',
      sources: { a: { turnAfterMs: 2_000 }, b: refuses },
      want: 'a',
      tries: [`a ${short}`, `b ${long}`, `a ${long}`],
    },
    {
      name: 'no turn at the only one → once, as long as may be',
      sources: { a: { turnAfterMs: never } },
      want: REASONS.Overloaded,
      tries: [`a ${long}`],
    },
    {
      name: 'the first is slow and the others refuse → it gets its time in the end',
      sources: { a: 2_000, b: refuses, c: refuses },
      want: 'a',
      tries: [`a ${short}`, `b ${short}`, `c ${long}`, `a ${long}`],
    },
    {
      name: 'nobody ever answers → the failure of the last, and no second round',
      sources: { a: never, b: never },
      want: 'PEER_UNREACHABLE',
      tries: [`a ${short}`, `b ${long}`],
    },
    {
      name: 'the first has spent bytes of the client → no other is tried',
      sources: { a: { afterMs: 1, reason: REASONS.EarlyBytesSpent, spent: true }, b: 1 },
      want: 'EARLY_BYTES_SPENT',
      tries: [`a ${short}`],
    },
    {
      name: 'the second has, and the first was slow → the first does not get its time',
      sources: { a: 2_000, b: { afterMs: 1, reason: REASONS.EarlyBytesSpent, spent: true }, c: 1 },
      want: 'EARLY_BYTES_SPENT',
      tries: [`a ${short}`, `b ${short}`],
    },
    { name: 'no source → NO_USABLE_SOURCE', sources: {}, want: 'NO_USABLE_SOURCE', tries: [] },
    {
      name: 'denied here, then one that refuses → the failure of the one that was tried',
      sources: { b: { afterMs: 1, reason: REASONS.DialFailed }, a: 1 },
      denied: ['a'],
      want: 'DIAL_FAILED',
      tries: [`b ${long}`],
    },
  ];
  for (const { name, sources, denied, want, tries } of cases) {
    it(name, async () => {
      assert.equal(whereOf(await run(sources, denied)), want);
      assert.deepEqual(log, tries);
    });
  }

  it('an ejected one comes after one in use that is slow → it gets the short time, and the slow one its own', async () => {
    ejections.begin(makeSource('b')).failed({ reason: REASONS.PeerUnreachable, message: '', overdue: true }, true);
    assert.equal(whereOf(await run({ a: 2_000, b: never })), 'a');
    assert.deepEqual(log, [`a ${short}`, `b ${short}`, `a ${long}`]);
    assert.equal(ejections.standingOf(makeSource('a')), 'in-use');
  });

  it('all are ejected, the first is slow → it gets its time in the end', async () => {
    for (const peer of ['a', 'b', 'c']) {
      ejections.begin(makeSource(peer)).failed({ reason: REASONS.PeerUnreachable, message: '', overdue: true }, true);
    }
    assert.equal(whereOf(await run({ a: 2_000, b: refuses, c: refuses })), 'a');
    assert.deepEqual(log.at(-1), `a ${long}`);
  });

  it('the last one in use fails → it is not ejected', async () => {
    await run({ a: never, b: never });
    assert.deepEqual(['a', 'b'].map((peer) => ejections.standingOf(makeSource(peer))).sort(), ['due', 'in-use']);
  });

  it('the client leaves while one is tried → no other is, and nothing is held against it', async () => {
    const outcome = run({ a: never, b: 1 });
    gone = true;
    assert.equal((await outcome).ok, false);
    assert.deepEqual([log, ejections.size], [[`a ${short}`], 0]);
  });

  it('as many as may be tried, none of which answers → one has waited long, and no second round', async () => {
    const names = Array.from({ length: SOURCES_PER_CONNECTION_MAX + 1 }, (_, index) => `s${index}`);
    await run(Object.fromEntries(names.map((name) => [name, never])));
    assert.deepEqual(
      [log.length, log.filter((line) => line.endsWith(` ${long}`)).length],
      [SOURCES_PER_CONNECTION_MAX, 1],
    );
  });

  it(`more than ${SOURCES_PER_CONNECTION_MAX} → no further one, and the last of them has all the time`, async () => {
    const names = Array.from({ length: SOURCES_PER_CONNECTION_MAX + 1 }, (_, index) => `s${index}`);
    const outcome = await run(Object.fromEntries(names.map((name) => [name, refuses])));
    assert.equal(whereOf(outcome), 'NO_USABLE_SOURCE');
    assert.deepEqual(
      [log.length, log.at(-1)],
      [SOURCES_PER_CONNECTION_MAX, `s${SOURCES_PER_CONNECTION_MAX - 1} ${long}`],
    );
  });
});
