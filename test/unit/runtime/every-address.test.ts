import assert from 'node:assert/strict';
import { listenAtEvery } from '#src/runtime/every-address.ts';

/** A system on which some hosts cannot be had. */
function systemWith(refused: Readonly<Record<string, string>>) {
  const tried: string[] = [];
  const listen = (host: string): Promise<string> => {
    tried.push(host);
    const code = refused[host];
    return code === undefined ? Promise.resolve(host) : Promise.reject(Object.assign(new Error(code), { code }));
  };
  return { tried, listen };
}

describe('listenAtEvery', () => {
  const cases = [
    { what: 'both families', host: '::', refused: {}, tried: ['::'], want: '::' },
    { what: 'no IPv6', host: '::', refused: { '::': 'EAFNOSUPPORT' }, tried: ['::', '0.0.0.0'], want: '0.0.0.0' },
    { what: 'an address of IPv4', host: '10.0.0.1', refused: {}, tried: ['10.0.0.1'], want: '10.0.0.1' },
  ];
  for (const { what, host, refused, tried, want } of cases) {
    it(`${host}, ${what} → ${want}`, async () => {
      const system = systemWith(refused);
      assert.equal(await listenAtEvery(host, system.listen), want);
      assert.deepEqual(system.tried, tried);
    });
  }

  const failures = [
    { what: 'taken', host: '::', refused: { '::': 'EADDRINUSE' }, tried: ['::'], code: 'EADDRINUSE' },
    { what: 'no IPv6', host: '::1', refused: { '::1': 'EAFNOSUPPORT' }, tried: ['::1'], code: 'EAFNOSUPPORT' },
    {
      what: 'no IPv6, and taken for IPv4',
      host: '::',
      refused: { '::': 'EAFNOSUPPORT', '0.0.0.0': 'EADDRINUSE' },
      tried: ['::', '0.0.0.0'],
      code: 'EADDRINUSE',
    },
  ];
  for (const { what, host, refused, tried, code } of failures) {
    it(`${host}, ${what} → ${code}`, async () => {
      const system = systemWith(refused);
      await assert.rejects(listenAtEvery(host, system.listen), { code });
      assert.deepEqual(system.tried, tried);
    });
  }
});
