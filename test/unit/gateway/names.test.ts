import assert from 'node:assert/strict';
import { ADDRESSES_PER_NAME_MAX, NAMES_REMEMBERED_MAX } from '#src/gateway/limits.ts';
import { makeNames } from '#src/gateway/names.ts';

describe('makeNames', () => {
  let asked: string[];
  let answers: readonly string[];
  let names: ReturnType<typeof makeNames>;
  beforeEach(() => {
    asked = [];
    answers = ['192.0.2.1', '192.0.2.2', '2001:db8::1'];
    names = makeNames((host) => {
      asked.push(host);
      return Promise.resolve(answers);
    });
  });

  it('an address → itself, and nobody is asked', async () => {
    assert.deepEqual(await names.resolveForDial('192.0.2.9'), ['192.0.2.9']);
    assert.deepEqual(await names.resolve('2001:db8::9'), ['2001:db8::9']);
    assert.deepEqual(asked, []);
  });

  it('asked twice at once → one question; asked again → another one', async () => {
    await Promise.all([names.resolve('gw.example'), names.resolveForDial('gw.example')]);
    assert.deepEqual(asked, ['gw.example']);
    await names.resolve('gw.example');
    assert.equal(asked.length, 2);
  });

  it('dialled → that address comes last the next time, the others stay in order; for a look nothing changes', async () => {
    names.dialled('gw.example', '192.0.2.1');
    assert.deepEqual(await names.resolveForDial('gw.example'), ['192.0.2.2', '2001:db8::1', '192.0.2.1']);
    assert.deepEqual(await names.resolve('gw.example'), answers);
    assert.deepEqual(await names.resolveForDial('other.example'), answers);
  });

  it('no address → an error; the next question is asked all the same', async () => {
    answers = [];
    await assert.rejects(names.resolve('gw.example'), /no address/);
    answers = ['192.0.2.3'];
    assert.deepEqual(await names.resolve('gw.example'), ['192.0.2.3']);
  });

  it(`more than ${ADDRESSES_PER_NAME_MAX} addresses → so many, each once`, async () => {
    answers = ['192.0.2.1', ...Array.from({ length: ADDRESSES_PER_NAME_MAX + 1 }, (_, index) => `192.0.2.${index}`)];
    const found = await names.resolve('gw.example');
    assert.deepEqual([found.length, new Set(found).size], [ADDRESSES_PER_NAME_MAX, ADDRESSES_PER_NAME_MAX]);
  });

  it(`more than ${NAMES_REMEMBERED_MAX} names → the oldest is forgotten`, async () => {
    for (let index = 0; index <= NAMES_REMEMBERED_MAX; index++) names.dialled(`gw${index}.example`, '192.0.2.1');
    assert.deepEqual(await names.resolveForDial('gw0.example'), answers);
    assert.notDeepEqual(await names.resolveForDial('gw1.example'), answers);
  });
});
