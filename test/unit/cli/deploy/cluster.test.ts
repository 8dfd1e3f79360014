import assert from 'node:assert/strict';
import { AppError } from '#src/api/errors.ts';
import { makeCluster } from '#src/cli/deploy/cluster.ts';
import type { Manifest } from '#src/cli/deploy/manifests.ts';
import { resourceOf } from '#src/cli/deploy/resources.ts';
import type { ApiAnswer, ApiRequest } from '#src/store/kubernetes/access.ts';

const service: Manifest = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'db', namespace: 'shop', uid: 'u1' } };

/** Answers in order, and notes what was asked. */
function script(...answers: readonly (readonly [status: number, body?: unknown])[]) {
  const asked: ApiRequest[] = [];
  const left = [...answers];
  const transport = {
    request(request: ApiRequest): Promise<ApiAnswer> {
      asked.push(request);
      const [status, body] = left.shift() ?? assert.fail(`no answer for ${request.method} ${request.path}`);
      return Promise.resolve({ status, body });
    },
  };
  return { cluster: makeCluster(transport), asked };
}

const page = (names: readonly string[], next = '') => ({
  apiVersion: 'v1',
  items: names.map((name) => ({ metadata: { name } })),
  metadata: { continue: next },
});

describe('makeCluster', () => {
  it('apply: absent before → created; the same version → unchanged; another → changed', async () => {
    const version = (resourceVersion: string): Manifest => ({ ...service, metadata: { resourceVersion } });
    const cases = [
      [[404], [201, version('1')], 'created'],
      [[200, version('1')], [200, version('1')], 'unchanged'],
      [[200, version('1')], [200, version('2')], 'changed'],
    ] as const;
    for (const [read, written, change] of cases) {
      const { cluster, asked } = script(read, written);
      assert.equal(await cluster.apply(service), change);
      assert.equal(asked[1]?.contentType, 'application/apply-patch+yaml');
      assert.match(
        asked[1]?.path ?? '',
        /^\/api\/v1\/namespaces\/shop\/services\/db\?fieldManager=clusterlink-mcs-deploy&/,
      );
    }
  });

  it('list: pages are put together, and items get what their list says', async () => {
    const { cluster, asked } = script([200, page(['a'], 'more')], [200, page(['b'])]);
    const found = await cluster.list(resourceOf('Service'), { labelSelector: 'a=b' });
    assert.deepEqual(
      found.map(({ apiVersion, kind, metadata }) => [apiVersion, kind, metadata?.name]),
      [
        ['v1', 'Service', 'a'],
        ['v1', 'Service', 'b'],
      ],
    );
    assert.match(asked[1]?.path ?? '', /labelSelector=a%3Db&continue=more$/);
  });

  it('list: a version that is not served → the next one; none → nothing (CRD-02)', async () => {
    const old = script([404], [200, page(['a'])]);
    assert.equal((await old.cluster.list(resourceOf('ServiceImport'))).length, 1);
    assert.match(old.asked[1]?.path ?? '', /v1alpha1/);
    const none = script([404], [404]);
    assert.deepEqual(await none.cluster.list(resourceOf('ServiceImport')), []);
  });

  it('remove: of the uid that was read; gone or another by now → false', async () => {
    const { cluster, asked } = script([200], [404], [409]);
    assert.equal(await cluster.remove(service), true);
    assert.equal(await cluster.remove(service), false);
    assert.equal(await cluster.remove(service), false);
    assert.deepEqual((asked[0]?.body as { preconditions: object }).preconditions, { uid: 'u1' });
  });

  for (const [status, code] of [
    [401, 'ERR_FORBIDDEN'],
    [403, 'ERR_FORBIDDEN'],
    [409, 'ERR_CONFLICT'],
    [422, 'ERR_INVALID_OBJECT'],
    [429, 'ERR_STORE_UNAVAILABLE'],
    [500, 'ERR_STORE_UNAVAILABLE'],
  ] as const) {
    it(`HTTP ${status} → ${code} with the server's words, cut`, async () => {
      const { cluster } = script([status, { kind: 'Status', message: 'x'.repeat(10_000) }]);
      await assert.rejects(cluster.get(service), (error: unknown) => {
        assert.ok(error instanceof AppError);
        assert.equal(error.code, code);
        assert.ok(error.message.startsWith('read Service shop/db: x') && error.message.length < 1_000);
        return true;
      });
    });
  }
});
