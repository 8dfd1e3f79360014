import assert from 'node:assert/strict';
import fc from 'fast-check';
import { REASONS } from '#src/api/reasons.ts';
import { formatSource } from '#src/api/record.ts';
import { makeEjections, type AttemptFailure, type EjectionChange, type Trial } from '#src/gateway/ejection.ts';
import { EJECT_AFTER_FAILURES, EJECTED_MAX_MS, EJECTED_MIN_MS, SUSPECTS_MAX } from '#src/gateway/limits.ts';

const sourceOf = (peer: string, name = 'db') => ({ peer, namespace: 'shop', name });
const east = sourceOf('east');
const overdue: AttemptFailure = { reason: REASONS.PeerUnreachable, message: 'silence', overdue: true };
const refused: AttemptFailure = { reason: REASONS.NoUsableSource, message: '503' };

function makeHarness() {
  let nowMs = 0;
  const changes: EjectionChange[] = [];
  const ejections = makeEjections({ now: () => nowMs, self: 'west', onChange: (change) => changes.push(change) });
  return { ejections, changes, pass: (ms: number) => (nowMs += ms) };
}

describe('makeEjections', () => {
  let ejections: ReturnType<typeof makeHarness>['ejections'];
  let changes: EjectionChange[];
  let pass: (ms: number) => number;
  beforeEach(() => ({ ejections, changes, pass } = makeHarness()));

  const fail = (failure: AttemptFailure, hasOther = true): void => ejections.begin(east).failed(failure, hasOther);

  it('an answer is overdue → ejected at once, told with its reason; its time is over → due', () => {
    fail(overdue);
    assert.deepEqual(changes, [{ source: east, ejected: { reason: 'PEER_UNREACHABLE', message: 'silence' } }]);
    pass(EJECTED_MIN_MS - 1);
    assert.equal(ejections.standingOf(east), 'ejected');
    pass(1);
    assert.equal(ejections.standingOf(east), 'due');
  });

  it(`${EJECT_AFTER_FAILURES - 1} refusals → in use; one more in a row → ejected; a success between → counted anew`, () => {
    const almost = (): void => {
      for (let count = 1; count < EJECT_AFTER_FAILURES; count++) fail(refused);
    };
    almost();
    ejections.begin(east).succeeded();
    almost();
    assert.equal(ejections.standingOf(east), 'in-use');
    fail(refused);
    assert.equal(ejections.standingOf(east), 'ejected');
  });

  for (const reason of [
    REASONS.IngressDenied,
    REASONS.EgressDenied,
    REASONS.ClientUnknown,
    REASONS.Overloaded,
    REASONS.Aborted,
  ]) {
    it(`${reason} → says nothing of the source`, () => {
      for (let count = 0; count < 2 * EJECT_AFTER_FAILURES; count++) fail({ reason, message: '' });
      assert.deepEqual([ejections.size, changes.length], [0, 0]);
    });
  }

  it('no other source is in use → never ejected, whatever it does', () => {
    for (let count = 0; count < 2 * EJECT_AFTER_FAILURES; count++) fail(overdue, false);
    assert.equal(ejections.standingOf(east), 'in-use');
    fail(refused);
    assert.equal(ejections.standingOf(east), 'ejected', 'its failures were counted');
  });

  it('due → one connection is the probe, the others pass it over; it fails → twice the time, up to the greatest', () => {
    fail(overdue);
    let waitMs = EJECTED_MIN_MS;
    for (let round = 0; round < 8; round++) {
      pass(waitMs);
      assert.equal(ejections.standingOf(east), 'due');
      const probe = ejections.begin(east);
      assert.equal(ejections.standingOf(east), 'ejected', 'only one');
      ejections.begin(east).failed(overdue, true);
      probe.failed(refused, true);
      waitMs = Math.min(EJECTED_MAX_MS, 2 * waitMs);
      pass(waitMs - 1);
      assert.equal(ejections.standingOf(east), 'ejected');
      pass(1);
      pass(-waitMs);
    }
    assert.equal(waitMs, EJECTED_MAX_MS);
    assert.equal(changes.length, 1, 'told once');
  });

  it('the client of the probe leaves, or is denied → the next connection is the probe', () => {
    fail(overdue);
    pass(EJECTED_MIN_MS);
    ejections.begin(east).dropped();
    assert.equal(ejections.standingOf(east), 'due');
    ejections.begin(east).failed({ reason: REASONS.IngressDenied, message: '' }, true);
    assert.equal(ejections.standingOf(east), 'due');
  });

  it('any success while it is ejected, not only the probe → in use, told, and the time begins anew', () => {
    fail(overdue);
    pass(EJECTED_MIN_MS);
    ejections.begin(east).failed(overdue, true);
    ejections.begin(east).succeeded();
    assert.deepEqual([ejections.standingOf(east), changes.at(-1)], ['in-use', { source: east }]);
    fail(overdue);
    pass(EJECTED_MIN_MS);
    assert.equal(ejections.standingOf(east), 'due');
  });

  it('its peer was out of reach and is back → due at once', () => {
    fail(overdue);
    ejections.seeReachable(new Set(['east']));
    assert.equal(ejections.standingOf(east), 'ejected');
    ejections.seeReachable(new Set());
    assert.equal(ejections.standingOf(east), 'ejected');
    ejections.seeReachable(new Set(['east']));
    assert.equal(ejections.standingOf(east), 'due');
  });

  it('its route is gone → forgotten, and told to be back', () => {
    fail(overdue);
    ejections.retain(new Set([formatSource(east)]));
    assert.equal(ejections.size, 1);
    ejections.retain(new Set());
    assert.deepEqual([ejections.size, changes.at(-1)], [0, { source: east }]);
  });

  it(`more than ${SUSPECTS_MAX} → the one that failed least recently is forgotten`, () => {
    fail(overdue);
    for (let count = 1; count < SUSPECTS_MAX; count++)
      ejections.begin(sourceOf('p', `s${count}`)).failed(overdue, true);
    assert.deepEqual([ejections.size, ejections.standingOf(east)], [SUSPECTS_MAX, 'ejected']);
    ejections.begin(sourceOf('p', 'one-more')).failed(overdue, true);
    assert.deepEqual([ejections.size, ejections.standingOf(east)], [SUSPECTS_MAX, 'in-use']);
    assert.deepEqual(changes.at(-1), { source: east });
  });

  /** Whatever happens to connections of an import with three sources, in whatever order. */
  it('any history → one source is in use at least; what was told is how things stand; a success clears', () => {
    const peers = ['east', 'south', 'north'];
    const outcome = fc.constantFrom('overdue', 'refused', 'denied', 'left', 'ok', 'wait', 'begin', 'away');
    const step = fc.record({ peer: fc.constantFrom(...peers), outcome, ms: fc.nat(40_000) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const harness = makeHarness();
        const open = new Map<string, Trial[]>();
        const isInUse = (peer: string): boolean => harness.ejections.standingOf(sourceOf(peer)) === 'in-use';
        for (const { peer, outcome: what, ms } of steps) {
          const begun = open.get(peer) ?? [];
          open.set(peer, begun);
          const next = (): Trial => begun.shift() ?? harness.ejections.begin(sourceOf(peer));
          const hasOther = peers.some((other) => other !== peer && isInUse(other));
          if (what === 'wait') harness.pass(ms);
          else if (what === 'begin') begun.push(harness.ejections.begin(sourceOf(peer)));
          else if (what === 'away') {
            harness.ejections.seeReachable(new Set(peers.filter((other) => other !== peer)));
            harness.ejections.seeReachable(new Set(peers));
          } else if (what === 'left') next().dropped();
          else if (what === 'denied') next().failed({ reason: REASONS.IngressDenied, message: '' }, hasOther);
          else if (what === 'ok') {
            const trial = harness.ejections.begin(sourceOf(peer));
            trial.succeeded();
            trial.failed(overdue, hasOther);
            assert.ok(isInUse(peer), 'what is called first counts');
          } else next().failed(what === 'overdue' ? overdue : refused, hasOther);
          assert.ok(peers.some(isInUse), 'never all of them');
          assert.ok(harness.ejections.size <= peers.length);
        }
        const told = new Map(harness.changes.map(({ source, ejected }) => [source.peer, ejected !== undefined]));
        for (const peer of peers) assert.equal(told.get(peer) ?? false, !isInUse(peer));
        harness.pass(EJECTED_MAX_MS);
        for (const peer of peers) open.get(peer)?.forEach((trial) => trial.dropped());
        for (const peer of peers)
          assert.notEqual(harness.ejections.standingOf(sourceOf(peer)), 'ejected', 'none stays');
      }),
      { numRuns: 300 },
    );
  });
});
