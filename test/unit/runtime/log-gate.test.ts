import assert from 'node:assert/strict';
import { PEER_LINES_MAX, PEER_LINES_WINDOW_MS } from '#src/runtime/limits.ts';
import { makeLogGate, makePeerLogGates } from '#src/runtime/log-gate.ts';

describe('makeLogGate', () => {
  it('as many lines as a window has → all; one more → kept back and counted once; the next window → again', () => {
    let nowMs = 0;
    const gate = makeLogGate({ linesMax: 2, windowMs: 100, now: () => nowMs });
    assert.deepEqual([gate.opens(), gate.opens(), gate.opens()], [true, true, false]);
    nowMs = 99;
    assert.equal(gate.opens(), false);
    nowMs = 100;
    assert.equal(gate.opens(), true);
    assert.deepEqual([gate.takeSkipped(), gate.takeSkipped()], [2, 0]);
  });
});

describe('makePeerLogGates', () => {
  it('a noisy peer → silent for the rest of its window; another one is heard', () => {
    let nowMs = 0;
    const gates = makePeerLogGates({ now: () => nowMs });
    for (let count = 0; count < PEER_LINES_MAX; count++) assert.ok(gates.of('mallory').opens());
    assert.equal(gates.of('mallory').opens(), false);
    assert.ok(gates.of('west').opens());
    nowMs = PEER_LINES_WINDOW_MS;
    assert.ok(gates.of('mallory').opens());
  });

  it('a peer that is gone → forgotten', () => {
    const gates = makePeerLogGates({ linesMax: 1 });
    assert.ok(gates.of('east').opens());
    gates.forget('east');
    assert.ok(gates.of('east').opens());
  });
});
