import assert from 'node:assert/strict';
import fc from 'fast-check';
import { decodeInteger, decodeTime, encodeInteger, lengthOfSequence, TAG } from '#src/fabric/der.ts';

describe('encodeInteger and decodeInteger', () => {
  for (const [value, hex] of [
    [0n, '020100'],
    [127n, '02017f'],
    [128n, '02020080'],
    [256n, '02020100'],
  ] as const) {
    it(`${value} → ${hex}, and back`, () => {
      assert.equal(encodeInteger(value).toString('hex'), hex);
      assert.equal(decodeInteger(Buffer.from(hex, 'hex'), 20), value);
    });
  }
  it('any number of 20 octets → itself; of one octet more than the bound → ERR_MALFORMED', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 159n - 1n }), (value) => {
        assert.equal(decodeInteger(encodeInteger(value), 20), value);
      }),
    );
    assert.throws(() => decodeInteger(encodeInteger(2n ** 159n), 20), { code: 'ERR_MALFORMED' });
  });
  for (const hex of [
    '',
    '0200',
    '020180',
    '0202ff00',
    '03017f',
    '02017f00',
    '02027f',
    '0202007f',
    '02810101',
    '04017f',
  ]) {
    it(`${hex === '' ? 'nothing' : hex} → ERR_MALFORMED`, () => {
      assert.throws(() => decodeInteger(Buffer.from(hex, 'hex'), 20), { code: 'ERR_MALFORMED' });
    });
  }
});

describe('lengthOfSequence', () => {
  for (const [hex, length] of [
    ['3000', 2],
    ['307f', 129],
    ['30820100', 260],
    ['3080', undefined],
    ['3082', undefined],
    ['3100', undefined],
    ['', undefined],
  ] as const) {
    it(`${hex === '' ? 'nothing' : hex} → ${length}`, () => {
      assert.equal(lengthOfSequence(Buffer.from(hex, 'hex')), length);
    });
  }
});

describe('decodeTime', () => {
  const at = (tag: number, text: string): string => {
    try {
      return decodeTime({ tag, content: Buffer.from(text), raw: Buffer.alloc(0) }).toISOString();
    } catch (error) {
      return (error as { readonly code: string }).code;
    }
  };
  for (const [tag, text, expected] of [
    [TAG.utcTime, '491231235959Z', '2049-12-31T23:59:59.000Z'],
    [TAG.utcTime, '500101000000Z', '1950-01-01T00:00:00.000Z'],
    [TAG.generalizedTime, '20500101000000Z', '2050-01-01T00:00:00.000Z'],
    [TAG.utcTime, '260230000000Z', 'ERR_MALFORMED'],
    [TAG.utcTime, '261301000000Z', 'ERR_MALFORMED'],
    [TAG.utcTime, '2611210000Z', 'ERR_MALFORMED'],
    [TAG.utcTime, '261121000000+0100', 'ERR_MALFORMED'],
    [TAG.generalizedTime, '20261121000000.5Z', 'ERR_MALFORMED'],
    [TAG.integer, '261121000000Z', 'ERR_MALFORMED'],
  ] as const) {
    it(`${text} as tag ${tag} → ${expected}`, () => assert.equal(at(tag, text), expected));
  }
});
