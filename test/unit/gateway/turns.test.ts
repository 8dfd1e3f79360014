import assert from 'node:assert/strict';
import { makeTurns, type Turns } from '#src/gateway/turns.ts';

describe('makeTurns', () => {
  let turns: Turns;
  let next: (() => void)[];
  let served: string[];
  beforeEach(() => {
    next = [];
    served = [];
    turns = makeTurns({ perTurnMax: 3, nextTurn: (run) => void next.push(run) });
  });
  const ask = (peer: string): void => void turns.take(peer).then(() => served.push(peer));
  /** What those who were let in do. */
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  async function turn(): Promise<void> {
    next.shift()?.();
    await settle();
  }

  it('as many as fit a turn → at once; one more → in the next turn', async () => {
    for (let count = 0; count < 4; count++) ask('east');
    await settle();
    assert.deepEqual([served.length, turns.waiting], [3, 1]);
    await turn();
    assert.deepEqual([served.length, turns.waiting], [4, 0]);
  });

  it('one peer asks for many and another for one → the other waits for one round, not for all', async () => {
    for (let count = 0; count < 100; count++) ask('mallory');
    ask('west');
    await settle();
    await turn();
    assert.ok(served.includes('west'), served.join());
  });

  it('more peers than fit a turn → each has had one before any has two', async () => {
    for (let count = 0; count < 3; count++) ask('first');
    await settle();
    served = [];
    for (const peer of ['a', 'a', 'b', 'b', 'c', 'c', 'd', 'd', 'e', 'e']) ask(peer);
    await turn();
    await turn();
    assert.deepEqual(served.slice(0, 5).sort(), ['a', 'b', 'c', 'd', 'e']);
    await turn();
    await turn();
    assert.deepEqual([served.length, turns.waiting], [10, 0]);
  });

  it('nothing to do any more → no further turn is asked for', async () => {
    ask('east');
    await settle();
    await turn();
    await turn();
    assert.equal(next.length, 0);
    ask('east');
    await settle();
    assert.equal(served.length, 2);
  });
});
