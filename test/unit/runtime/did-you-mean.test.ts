import assert from 'node:assert/strict';
import { closestWord } from '#src/runtime/did-you-mean.ts';

describe('closestWord', () => {
  const words = ['listen', 'advertise', 'gateway', 'dns', 'peer'];
  for (const [word, guess] of [
    ['lsten', 'listen'],
    ['LISTEN', 'listen'],
    ['gatweay', 'gateway'],
    ['advertized', 'advertise'],
    ['dnss', 'dns'],
    ['peers', 'peer'],
    ['xyz', undefined],
    ['', undefined],
    ['a'.repeat(1_000), undefined],
  ] as const) {
    it(`${word.slice(0, 12) || 'nothing'} → ${guess ?? 'no guess'}`, () =>
      assert.equal(closestWord(word, words), guess));
  }
});
