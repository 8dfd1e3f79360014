import assert from 'node:assert/strict';
import type { IPod } from '#src/api/generated/Pod.ts';
import { formatKey, keyOf } from '#src/api/object.ts';
import { checkClient, hostClient, podClient } from '#src/cli/run/client-argument.ts';

const HOST = { namespace: 'default', serviceAccount: 'host', labels: {} };
const CLIENT = { namespace: 'store', serviceAccount: 'client', labels: { app: 'client' } };

function pod(name: string, status: IPod['status'] = { phase: 'Running', podIP: '10.1.0.7' }): IPod {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { namespace: 'store', name }, ...(status ? { status } : {}) };
}

function find(text: string, pods: readonly IPod[]): ReturnType<typeof podClient> {
  const byKey = new Map(pods.map((each) => [formatKey(keyOf(each)), each]));
  return podClient(text, {
    caches: { Pod: { get: (key) => byKey.get(formatKey(key)), list: () => pods } },
    clientAt: (address) => (address === '10.1.0.7' ? CLIENT : { unidentified: 'no-pod' }),
  });
}

describe('checkClient', () => {
  for (const text of ['host', 'store/client']) it(`${text} → as it is`, () => assert.equal(checkClient(text), text));
  for (const text of ['pod', '', 'a/b/c', 'store/']) {
    it(`${JSON.stringify(text)} → ERR_USAGE that names both`, () =>
      assert.throws(() => checkClient(text), { code: 'ERR_USAGE', fix: 'say host, or NAMESPACE/POD in a cluster' }));
  }
});

describe('hostClient', () => {
  it('host → the one identity of this host', () => assert.equal(hostClient('host', HOST), HOST));
  it('anything else → ERR_USAGE that says host', () =>
    assert.throws(() => hostClient('store/client', HOST), { code: 'ERR_USAGE', fix: 'say host' }));
});

describe('podClient', () => {
  it('a running pod → whom the gateway takes its address for', () => {
    assert.equal(find('store/client', [pod('client')]), CLIENT);
  });
  for (const [title, text, pods, expected] of [
    ['no pod of that name → the names that there are', 'store/cleint', [pod('client')], /client/],
    ['a pod without an address', 'store/client', [pod('client', { phase: 'Pending' })], /runs/],
    // Its address may belong to another one now: to speak of it would be to speak of that one.
    ['a pod that has ended', 'store/client', [pod('client', { phase: 'Succeeded', podIP: '10.1.0.7' })], /runs/],
  ] as const) {
    it(`${title} → ERR_NOT_FOUND`, () =>
      assert.throws(
        () => find(text, pods),
        (error: { code?: string; fix?: string }) => {
          assert.equal(error.code, 'ERR_NOT_FOUND');
          assert.match(error.fix ?? '', expected);
          return true;
        },
      ));
  }
  for (const text of ['client', 'host', 'a/b/c', '', '/x', 'store/']) {
    it(`${JSON.stringify(text)} → ERR_USAGE`, () =>
      assert.throws(() => find(text, []), { code: 'ERR_USAGE', fix: 'say NAMESPACE/POD' }));
  }
});
