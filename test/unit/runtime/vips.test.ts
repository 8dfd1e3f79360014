import assert from 'node:assert/strict';
import fc from 'fast-check';
import { defaultVips, vipsProblem } from '#src/runtime/vips.ts';

describe('defaultVips', () => {
  it('one name → the same range at every start', () => {
    assert.equal(defaultVips('east'), '127.125.176.0/20');
  });
  it("the demo's peers → three ranges", () => {
    assert.equal(new Set(['east', 'west', 'south'].map(defaultVips)).size, 3);
  });
  it('any name → a good range inside 127.64.0.0/10', () => {
    fc.assert(
      fc.property(fc.string(), (peer) => {
        const range = defaultVips(peer);
        assert.equal(vipsProblem(range), undefined);
        const second = Number(range.split('.')[1]);
        assert.ok(range.startsWith('127.') && range.endsWith('.0/20') && second >= 64 && second <= 127);
      }),
    );
  });
  it('many names → spread over the ranges', () => {
    const ranges = new Set(Array.from({ length: 2_000 }, (_, index) => defaultVips(`peer-${index}`)));
    assert.ok(ranges.size > 800, `${ranges.size} of 1024`);
  });
});

describe('vipsProblem', () => {
  for (const text of ['127.64.0.0/10', '10.0.0.0/8', '192.168.1.252/30', '203.0.113.0/24']) {
    it(`${text} → none`, () => assert.equal(vipsProblem(text), undefined));
  }
  for (const [text, problem] of [
    ['10.0.0.1/24', 'does not begin at 10.0.0.0'],
    ['255.255.255.255/8', 'does not begin at 255.0.0.0'],
    ['10.0.0.0/7', 'is not between /8 and /30'],
    ['10.0.0.0/31', 'is not between /8 and /30'],
    ['10.0.0.0/33', 'is not an IPv4 range'],
    ['10.0.0/24', 'is not an IPv4 range'],
    ['10.0.0.0', 'is not an IPv4 range'],
    ['::/8', 'is not an IPv4 range'],
  ] as const) {
    it(`${text} → ${problem}`, () => assert.equal(vipsProblem(text), problem));
  }
});
