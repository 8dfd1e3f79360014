import assert from 'node:assert/strict';
import { makeConnector, makeExceptions } from '#src/gateway/gateway-connector.ts';
import { parseProxyUrl } from '#src/runtime/proxy-url.ts';

describe('makeExceptions', () => {
  const isExcepted = makeExceptions(['corp.example', '.lab.example', '10.0.0.0/8', '192.0.2.7', 'fd00::/8']);
  for (const host of [
    'corp.example',
    'gw.corp.example',
    'GW.Corp.Example.',
    'gw.lab.example',
    '10.255.255.255',
    '192.0.2.7',
    'fd12::1',
    'fd12::1%eth0',
    '127.0.0.1',
    '127.9.9.9',
    '::1',
    'localhost',
  ]) {
    it(`${host} → without the proxy`, () => assert.ok(isExcepted(host)));
  }
  for (const host of [
    'notcorp.example',
    'corp.example.net',
    'lab.example',
    '11.0.0.1',
    '192.0.2.8',
    '2001:db8::1',
    'fe80::1%eth0',
  ]) {
    it(`${host} → through it`, () => assert.ok(!isExcepted(host)));
  }
});

describe('makeConnector', () => {
  const parsed = parseProxyUrl('http://proxy.example:3128');
  assert.ok(parsed.ok);
  const asked: string[] = [];
  const resolve = (host: string): Promise<string[]> => {
    asked.push(host);
    return Promise.resolve(['192.0.2.1']);
  };
  const { lookUp } = makeConnector({ proxy: parsed.proxy, proxyExcept: ['near.example'], resolve });

  it('a name behind the proxy, and an address → nobody is asked', () => {
    assert.deepEqual(
      [lookUp('far.example'), lookUp('192.0.2.9'), lookUp('127.0.0.1')],
      [undefined, undefined, undefined],
    );
    assert.deepEqual(asked, []);
  });

  it('a name that is dialled directly → what it resolves to', async () => {
    assert.deepEqual(await lookUp('near.example'), ['192.0.2.1']);
  });
});
