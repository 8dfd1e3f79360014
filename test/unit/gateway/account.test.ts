import assert from 'node:assert/strict';
import fc from 'fast-check';
import { makeAccount, type Account, type Holding } from '#src/gateway/account.ts';
import { countKept, KEPT_FEW } from '#test/support/kept.ts';

describe('makeAccount', () => {
  let account: Account;
  let cut: string[];
  beforeEach(() => {
    account = makeAccount({ bytesMax: 1_000, peerBytesMax: 400 });
    cut = [];
  });
  /** One that gives everything back when it is cut. */
  function hold(peer: string, name: string, bytes = 0): Holding {
    const holding = account.of(peer).hold(() => {
      cut.push(name);
      holding.set(0);
    });
    holding.set(bytes);
    return holding;
  }

  it('up to the bound of a peer → held; one byte more → the one that was read the longest ago is cut', () => {
    hold('east', 'oldest', 200);
    const reader = hold('east', 'reader', 150);
    hold('east', 'newest', 50);
    assert.deepEqual([account.bytes, cut], [400, []]);
    reader.set(149);
    reader.set(151);
    assert.deepEqual(cut, ['oldest']);
    assert.equal(account.bytes, 201);
  });

  it('a reader that takes something again and again → others are cut before it, whatever it holds', () => {
    const busy = hold('east', 'busy', 300);
    for (let round = 0; round < 5; round++) {
      hold('east', `stalled ${round}`, 60);
      busy.set(280);
      busy.set(300);
    }
    assert.ok(cut.length >= 3 && !cut.includes('busy'), cut.join());
  });

  it('all peers together at the bound → the one that holds most pays, the others do not', () => {
    for (const peer of ['east', 'north', 'south']) hold(peer, peer, 330);
    hold('west', 'west', 10);
    assert.deepEqual([account.bytes, cut], [1_000, []]);
    hold('west', 'west, more', 1);
    assert.equal(cut.length, 1);
    assert.notEqual(cut[0], 'west');
  });

  it('cutting one makes another grow for a moment → no further one is cut for it', () => {
    const control = account.of('east').hold();
    const first = account.of('east').hold(() => {
      control.set(50);
      first.set(0);
    });
    first.set(300);
    hold('east', 'second', 90);
    hold('east', 'third', 20);
    assert.deepEqual([cut, account.bytes], [[], 160]);
  });

  it('what cannot be cut → counts, and leaves the others what is left', () => {
    account.of('east').hold().set(500);
    hold('east', 'late', 1);
    assert.deepEqual(cut, ['late']);
    assert.equal(account.of('east').bytes, 500);
  });

  it('half of the bound → pressed; three quarters → no room; below them → neither', () => {
    const holding = hold('east', 'all');
    const { memory } = { memory: account.of('east') };
    const states = [199, 200, 299, 300, 100].map((bytes) => {
      holding.set(bytes);
      return [memory.pressed, memory.hasRoom];
    });
    assert.deepEqual(states, [
      [false, true],
      [true, true],
      [true, true],
      [true, false],
      [false, true],
    ]);
  });

  it('a process that is nearly full → peers above their share have no room, a small one has', () => {
    for (const peer of ['east', 'north', 'south']) hold(peer, peer, 260);
    hold('west', 'west', 20);
    assert.equal(account.of('east').hasRoom, false);
    assert.equal(account.of('west').hasRoom, true);
    assert.equal(account.of('new').hasRoom, true);
  });

  it('any holdings in any order → the sums are exact and no bound is passed', () => {
    const step = fc.record({ peer: fc.nat({ max: 3 }), index: fc.nat({ max: 5 }), bytes: fc.nat({ max: 200 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        account = makeAccount({ bytesMax: 1_000, peerBytesMax: 400 });
        const held = new Map<string, number>();
        const holdings = new Map<string, Holding>();
        for (const { peer, index, bytes } of steps) {
          const name = `${peer} ${index}`;
          const known =
            holdings.get(name) ??
            account.of(String(peer)).hold(() => {
              held.set(name, 0);
              holdings.get(name)?.set(0);
            });
          holdings.set(name, known);
          held.set(name, bytes);
          known.set(bytes);
          assert.equal(
            account.bytes,
            [...held.values()].reduce((sum, each) => sum + each, 0),
          );
          assert.ok(account.bytes <= 1_000 && account.of(String(peer)).bytes <= 400);
        }
        for (const holding of holdings.values()) holding.set(0);
        assert.deepEqual([account.bytes, account.peers().size], [0, 0]);
      }),
    );
  });

  it('those that hold nothing any more → small collections take them', async () => {
    const kept = await countKept((index) => {
      const item = { index };
      const holding = account.of('east').hold(() => assert.fail(`${item.index} was cut`));
      holding.set(1);
      return { item, leave: () => holding.set(0) };
    });
    assert.ok(kept <= KEPT_FEW, `${kept}`);
  });
});
