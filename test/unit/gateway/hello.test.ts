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
