import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { fromWorkerOutbound, toWorkerOutbound } from '#src/gateway/workers/outbound.ts';
import { parseProxyUrl } from '#src/runtime/proxy-url.ts';

describe('toWorkerOutbound, fromWorkerOutbound', () => {
  it('a proxy with credentials, as a message takes it to another process → the same there, and not printed', () => {
    const parsed = parseProxyUrl('http://west:hush@proxy.example:3128');
    assert.ok(parsed.ok);
    const sent = toWorkerOutbound({ proxy: parsed.proxy, proxyExcept: ['corp.example'] });
    const outbound = fromWorkerOutbound(structuredClone(sent));
    const { host, port, authorization } = outbound.proxy ?? assert.fail('no proxy');
    assert.deepEqual([host, port, authorization()], ['proxy.example', 3_128, parsed.proxy.authorization()]);
    assert.deepEqual(outbound.proxyExcept, ['corp.example']);
    assert.doesNotMatch(inspect(outbound), /d2VzdDpodXNo/);
  });

  it('no proxy → none', () => {
    assert.equal(fromWorkerOutbound(structuredClone(toWorkerOutbound({ proxy: undefined }))).proxy, undefined);
  });
});
