import assert from 'node:assert/strict';
import { parseControlLine } from '#src/gateway/hello.ts';

describe('parseControlLine, the window of a hello', () => {
  const hello = { peer: 'east', epoch: 'e', instance: 'i', version: '0.1.0', features: [], streams: 10 };

  for (const window of [undefined, 1, 65_536, 0xffff_ffff]) {
    it(`${window} → as it is`, () => {
      const line = { hello: window === undefined ? hello : { ...hello, window } };
      assert.deepEqual(parseControlLine(line), line);
    });
  }

  for (const window of [0, -1, 1.5, '65536', null, 0x1_0000_0000]) {
    it(`${JSON.stringify(window)} → ERR_MALFORMED`, () => {
      assert.throws(() => parseControlLine({ hello: { ...hello, window } }), { code: 'ERR_MALFORMED' });
    });
  }

  it('what a newer peer says besides → left out', () => {
    assert.deepEqual(parseControlLine({ hello: { ...hello, window: 65_536, later: true } }), {
      hello: { ...hello, window: 65_536 },
    });
  });
});

describe('parseControlLine, what is said of streams', () => {
  for (const line of [
    { closed: { stream: 3, reason: 'drained' } },
    { closed: { stream: 3, reason: 'drained', unserved: true } },
    { withdraw: { stream: 1 } },
    { withdraw: { stream: 0xffff_ffff } },
  ]) {
    it(`${JSON.stringify(line)} → as it is`, () => assert.deepEqual(parseControlLine(line), line));
  }

  for (const line of [
    { closed: { stream: 3, reason: 'drained', unserved: false } },
    { closed: { stream: 3, reason: 'drained', unserved: 'yes' } },
    { withdraw: {} },
    { withdraw: { stream: 0 } },
    { withdraw: { stream: 0x1_0000_0000 } },
    { withdraw: { stream: '3' } },
    { withdraw: null },
  ]) {
    it(`${JSON.stringify(line)} → ERR_MALFORMED`, () => {
      assert.throws(() => parseControlLine(line), { code: 'ERR_MALFORMED' });
    });
  }
});
