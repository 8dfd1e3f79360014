import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Share } from '#src/gateway/shares.ts';
import { floorOf, makeLedger } from '#src/gateway/workers/ledger.ts';
import { makeLeases } from '#src/gateway/workers/leases.ts';

/** Workers and the main process, with what they say to each other under way until it is delivered. */
function makeStage(workers: number, boundMax: number) {
  const ledger = makeLedger({ workers });
  const wires = Array.from({ length: workers }, (): (() => void)[] => []);
  const members = wires.map((wire, worker) => {
    const leases = makeLeases({
      workers,
      post: (request) =>
        wire.push(() => {
          const { leased, tight } = ledger.ask(worker, request);
          wire.push(() => leases.answer({ ...request, leased }));
          for (const other of tight) wires[other]?.push(() => members[other]?.leases.tighten(request.key));
        }),
    });
    const share: Share = leases.shares('streams east', boundMax);
    return { leases, share, used: 0 };
  });
  return {
    ledger,
    members,
    used: () => members.reduce((sum, { used }) => sum + used, 0),
    /** One more is to be opened; false: it is refused. */
    open(worker: number): boolean {
      const member = members[worker];
      if (member === undefined) return false;
      const isAdmitted = member.used < member.share.max;
      if (isAdmitted) member.used++;
      member.share.see(member.used);
      return isAdmitted;
    },
    close(worker: number): void {
      const member = members[worker];
      if (member === undefined || member.used === 0) return;
      member.share.see(--member.used);
    },
    /** The next message of one wire arrives. */
    deliver: (worker: number) => wires[worker]?.shift()?.(),
    settle() {
      for (let rounds = 0; wires.some((wire) => wire.length > 0); rounds++) {
        assert.ok(rounds < 1_000, 'they never cease to talk');
        for (const wire of wires) wire.shift()?.();
      }
    },
  };
}

describe('makeLeases', () => {
  it('whatever comes in whatever order → never more in use than the bound', () => {
    const step = fc.record({
      what: fc.constantFrom('open', 'open', 'open', 'close', 'deliver'),
      worker: fc.nat({ max: 2 }),
      times: fc.integer({ min: 1, max: 40 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 12, max: 300 }), (steps, boundMax) => {
        const stage = makeStage(3, boundMax);
        for (const { what, worker, times } of steps) {
          for (let time = 0; time < times; time++) {
            if (what === 'open') stage.open(worker);
            else if (what === 'close') stage.close(worker);
            else stage.deliver(worker);
            assert.ok(stage.used() <= boundMax);
          }
        }
        stage.settle();
      }),
      { numRuns: 200 },
    );
  });

  it('one worker alone → all of the bound but the floors of the others', () => {
    const stage = makeStage(2, 8_000);
    stage.settle();
    let refused = 0;
    while (refused < 3) {
      if (stage.open(0)) refused = 0;
      else refused++;
      stage.settle();
    }
    assert.equal(stage.used(), 8_000 - 3 * floorOf(8_000, 2));
  });

  it('before the first answer → the floor; after it, a burst without a word', () => {
    const stage = makeStage(2, 8_000);
    assert.equal(stage.members[0]?.share.max, floorOf(8_000, 2));
    stage.settle();
    for (let count = 0; count < 1_300; count++) assert.ok(stage.open(0));
  });

  it('one has all, and lets go of it → the other gets it', () => {
    const stage = makeStage(2, 1_000);
    stage.settle();
    for (let tries = 0; tries < 2_000; tries++) if (!stage.open(0)) stage.settle();
    const most = stage.members[0]?.used ?? 0;
    assert.ok(most > 900);
    while (stage.open(1)) stage.settle();
    stage.settle();
    for (let count = 0; count < 500; count++) stage.close(0);
    stage.settle();
    let opened = 0;
    for (let tries = 0; tries < 1_000; tries++) {
      if (stage.open(1)) opened++;
      else stage.settle();
    }
    assert.ok(opened >= 480, `${opened} of 500 that were free`);
  });

  it('one was told that nothing is left, and then the other gives back → it asks before it needs more', () => {
    const stage = makeStage(2, 10_000);
    stage.settle();
    for (let tries = 0; tries < 20_000; tries++) if (!stage.open(0)) stage.settle();
    for (let count = 0; count < 60; count++) assert.ok(stage.open(1));
    stage.settle();
    for (let count = 0; count < 5_000; count++) stage.close(0);
    stage.settle();
    // Several clients come in one turn of the event loop, before any answer can.
    for (let burst = 0; burst < 500; burst++) {
      for (let client = 0; client < 4; client++) assert.ok(stage.open(1), `burst ${burst}`);
      stage.settle();
    }
  });

  it('a share is closed while an answer is under way → the next of its name does not get that answer', () => {
    const ledger = makeLedger({ workers: 1 });
    const posted: Parameters<Parameters<typeof makeLeases>[0]['post']>[0][] = [];
    const leases = makeLeases({ workers: 1, post: (request) => void posted.push(request) });
    const answerNext = (): void => {
      const request = posted.shift();
      assert.ok(request !== undefined);
      leases.answer({ ...request, leased: ledger.ask(0, request).leased });
    };
    leases.shares('streams east', 1_000).close();
    const next = leases.shares('streams east', 1_000);
    answerNext();
    assert.equal(next.max, floorOf(1_000, 1));
    answerNext();
    answerNext();
    assert.ok(next.max > floorOf(1_000, 1));
  });
});

describe('makeLedger', () => {
  it('a worker is gone → what it had is free; who got less than he wanted → the others are named', () => {
    const ledger = makeLedger({ workers: 2 });
    const leasable = 1_000 - 4 * floorOf(1_000, 2);
    const request = { key: 'streams east', boundMax: 1_000 };
    assert.deepEqual(ledger.ask(1, { ...request, wanted: 5_000 }), { leased: leasable, tight: [] });
    assert.deepEqual(ledger.ask(2, { ...request, wanted: 10 }), { leased: 0, tight: [1] });
    ledger.forget(1);
    assert.deepEqual(ledger.ask(2, { ...request, wanted: 10 }), { leased: 10, tight: [] });
  });
});
