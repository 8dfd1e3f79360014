import assert from 'node:assert/strict';
import { ApiError, type Cluster } from '#test/conformance/clusters.ts';
import { CLUSTER_IP_FIXTURE } from '#test/conformance/fixture.ts';
import { Interrupted, TestFailure, type ConformanceTest, type TestResult } from '#test/conformance/outcome.ts';
import { runTests, type SuiteRun } from '#test/conformance/runner.ts';

/** An API server that keeps what it is given, with pods that run at once. */
function makeFakeCluster(name: string, { refuse = 0 }: { refuse?: number } = {}) {
  const created: string[] = [];
  const removed: string[] = [];
  let refusals = refuse;
  const cluster: Cluster = {
    context: name,
    name,
    get: () => Promise.resolve({ metadata: { name: 'request' }, status: { phase: 'Running' } } as never),
    list: () => Promise.resolve([]),
    create: (resource, object) => {
      if (resource === 'pods' && refusals > 0) {
        refusals -= 1;
        return Promise.reject(new ApiError(403, 'error looking up service account'));
      }
      created.push(`${resource}/${object.metadata.name}`);
      return Promise.resolve(object);
    },
    remove: (resource, { name: object }) => {
      removed.push(`${resource}/${object}`);
      return Promise.resolve();
    },
    exec: () => Promise.resolve({ output: '', problem: 'none' }),
    close: () => Promise.resolve(),
  };
  return { cluster, created, removed };
}

const makeTest = (id: string, run: ConformanceTest['run'], clusters: 1 | 2 = 1): ConformanceTest => ({
  id,
  title: `${id} should do`,
  group: 'Required',
  labels: [],
  clusters,
  ref: '',
  fixture: CLUSTER_IP_FIXTURE,
  run,
});
const pass = () => Promise.resolve();

async function run(tests: readonly ConformanceTest[], clusters: SuiteRun['clusters'], changes: Partial<SuiteRun> = {}) {
  const seen: TestResult[] = [];
  const warnings: string[] = [];
  const results = await runTests({
    tests,
    selects: () => true,
    clusters,
    settings: { zone: 'clusterset.local', verifyManagedBy: true },
    parallel: 1,
    signal: new AbortController().signal,
    onResult: (result) => seen.push(result),
    warn: (message) => warnings.push(message),
    ...changes,
  });
  assert.equal(seen.length, tests.length);
  return { results, warnings };
}

describe('runTests', () => {
  it('a test → its objects in their order in the first cluster, namespaces and request pods everywhere, all removed', async () => {
    const [one, two] = [makeFakeCluster('one'), makeFakeCluster('two')];
    let namespace = '';
    const test = makeTest('a', (context) => Promise.resolve(void (namespace = context.namespace)));
    const { results } = await run([test], [one.cluster, two.cluster]);
    assert.equal(results[0]?.outcome, 'passed');
    assert.match(namespace, /^mcs-conformance-\d{1,10}$/);
    assert.deepEqual(one.created, [
      `namespaces/${namespace}`,
      'deployments/hello',
      'services/hello',
      'pods/request',
      'serviceexports/hello',
    ]);
    assert.deepEqual(two.created, [`namespaces/${namespace}`, 'pods/request']);
    assert.deepEqual([one.removed, two.removed], [[`namespaces/${namespace}`], [`namespaces/${namespace}`]]);
  });

  it('failures → non-conformant only with a text of that kind; namespaces removed all the same', async () => {
    const { cluster, removed } = makeFakeCluster('one');
    const { results } = await run(
      [
        makeTest('a', () => Promise.reject(new TestFailure('late', 'not imported'))),
        makeTest('b', () => Promise.reject(new TestFailure('no answer'))),
        makeTest('c', () => Promise.reject(new Error('HTTP 500'))),
      ],
      [cluster],
    );
    assert.deepEqual(
      results.map(({ outcome, conformant, message }) => [outcome, conformant, message]),
      [
        ['failed', false, 'not imported (late)'],
        ['failed', true, 'no answer'],
        ['failed', true, 'HTTP 500'],
      ],
    );
    assert.equal(removed.length, 3);
  });

  it('too few clusters, or not selected → skipped with the reason, and nothing is created', async () => {
    const { cluster, created } = makeFakeCluster('one');
    const selects = ({ id }: ConformanceTest) => id !== 'b';
    const { results } = await run([makeTest('a', pass, 2), makeTest('b', pass)], [cluster], { selects });
    assert.deepEqual(
      results.map(({ outcome, message }) => [outcome, message]),
      [
        ['skipped', 'needs 2 clusters'],
        ['skipped', 'not selected'],
      ],
    );
    assert.deepEqual(created, []);
  });

  it('several at once → never more, and results in the order of the tests', async () => {
    const { cluster } = makeFakeCluster('one');
    const gate = Promise.withResolvers<void>();
    let running = 0;
    let most = 0;
    const wait = async () => {
      running += 1;
      most = Math.max(most, running);
      if (running === 2) gate.resolve();
      await gate.promise;
      running -= 1;
    };
    const tests = ['a', 'b', 'c', 'd', 'e'].map((id) => makeTest(id, wait));
    const { results } = await run(tests, [cluster], { parallel: 2 });
    assert.equal(most, 2);
    assert.deepEqual(
      results.map(({ test }) => test.id),
      ['a', 'b', 'c', 'd', 'e'],
    );
  });

  it('interrupted → the running test and the rest are skipped, and the namespace is removed', async () => {
    const { cluster, removed } = makeFakeCluster('one');
    const controller = new AbortController();
    const interrupt = () => {
      controller.abort();
      return Promise.reject(new Interrupted());
    };
    const { results } = await run([makeTest('a', interrupt), makeTest('b', pass)], [cluster], {
      signal: controller.signal,
    });
    assert.deepEqual(
      results.map(({ outcome }) => outcome),
      ['skipped', 'skipped'],
    );
    assert.equal(removed.length, 1);
  });

  it('a new namespace without its ServiceAccount → the pod is asked for again', async () => {
    const { cluster, created } = makeFakeCluster('one', { refuse: 1 });
    const { results } = await run([makeTest('a', pass)], [cluster]);
    assert.equal(results[0]?.outcome, 'passed');
    assert.ok(created.includes('pods/request'));
  });

  it('a namespace that cannot be removed → a warning, and the outcome stays', async () => {
    const { cluster } = makeFakeCluster('one');
    const stubborn = { ...cluster, remove: () => Promise.reject(new Error('no')) };
    const { results, warnings } = await run([makeTest('a', pass)], [stubborn]);
    assert.equal(results[0]?.outcome, 'passed');
    assert.match(warnings.join(), /^namespace mcs-conformance-\d+ could not be removed from 1 cluster\(s\)$/);
  });
});
