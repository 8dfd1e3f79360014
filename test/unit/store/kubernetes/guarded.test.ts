import assert from 'node:assert/strict';
import { guardWrites } from '#src/store/kubernetes/guarded.ts';
import type { ApiMethod, ApiRequest } from '#src/store/kubernetes/transport.ts';

const WRITES: readonly ApiMethod[] = ['DELETE', 'PATCH', 'POST', 'PUT'];

describe('guardWrites', () => {
  it('allowed → requests go through; not any more → every write is refused, reads are not', async () => {
    const sent: string[] = [];
    let mayWrite = true;
    const transport = guardWrites(
      {
        request: ({ method }) => (sent.push(method), Promise.resolve({ status: 200, body: {} })),
        stream: ({ method }) => (sent.push(`stream ${method}`), Promise.reject(new Error('no stream'))),
      },
      () => mayWrite,
    );
    const request = (method: ApiMethod): ApiRequest => ({ method, path: '/api/v1/pods', timeoutMs: 1_000 });
    for (const method of WRITES) await transport.request(request(method));
    assert.deepEqual(sent.splice(0), WRITES);
    mayWrite = false;
    for (const method of WRITES) {
      await assert.rejects(transport.request(request(method)), { code: 'ERR_STORE_CLOSED' });
      await assert.rejects(transport.stream(request(method)), { code: 'ERR_STORE_CLOSED' });
    }
    assert.deepEqual(sent, []);
    await transport.request(request('GET'));
    await assert.rejects(transport.stream(request('GET')), /no stream/);
    mayWrite = true;
    await transport.request(request('PATCH'));
    assert.deepEqual(sent, ['GET', 'stream GET', 'PATCH']);
  });

  it('no more allowed while the transport makes ready → refused at its last check; a read has none', async () => {
    let mayWrite = true;
    const transport = guardWrites(
      {
        async request({ method, lastCheck }) {
          await Promise.resolve();
          mayWrite = false;
          lastCheck?.();
          return { status: 200, body: method };
        },
        stream: () => Promise.reject(new Error('no stream')),
      },
      () => mayWrite,
    );
    const request = (method: ApiMethod): ApiRequest => ({ method, path: '/api/v1/pods', timeoutMs: 1_000 });
    assert.equal((await transport.request(request('GET'))).body, 'GET');
    mayWrite = true;
    await assert.rejects(transport.request(request('PATCH')), { code: 'ERR_STORE_CLOSED' });
  });
});
