import assert from 'node:assert/strict';
import { canonicalAddress } from '#src/api/addresses.ts';

describe('canonicalAddress', () => {
  for (const [text, canonical] of [
    ['10.0.0.1', '10.0.0.1'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['::FFFF:0a00:0001', '10.0.0.1'],
    ['fd00:0:0::00A1', 'fd00::a1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['::1', '::1'],
    ['', ''],
    ['10.0.0.256', '10.0.0.256'],
    ['db.example', 'db.example'],
  ] as const) {
    it(`${JSON.stringify(text)} → ${JSON.stringify(canonical)}`, () => {
      assert.equal(canonicalAddress(text), canonical);
      assert.equal(canonicalAddress(canonical), canonical);
    });
  }
});
