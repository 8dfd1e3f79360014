import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import type { Applied } from '#src/api/applied.ts';
import type { KindName } from '#src/api/kinds.ts';
import { REASONS } from '#src/api/reasons.ts';
import { REFUSAL_EVENT_INTERVAL_MS, REFUSAL_EVENTS_REMEMBERED_MAX } from '#src/cli/run/cluster/limits.ts';
import { REFUSAL_LOOKUPS_MAX } from '#src/cli/run/cluster/limits.ts';
import { makeRefusalEvents } from '#src/cli/run/cluster/refusal-events.ts';
import type { ClosingRecord } from '#src/gateway/messages.ts';
import { makeSilentLogger } from '#src/runtime/log.ts';
import { closeCaches, openCaches } from '#src/store/caches.ts';
import type { RecordedEvent } from '#src/store/kubernetes/event-recorder.ts';
import { makeMemoryStore } from '#src/store/memory.ts';

const user = { fieldManager: 'user' };
const logger = makeSilentLogger();

function closing(changes: Partial<ClosingRecord> = {}): ClosingRecord {
  return {
    connection: '00',
    direction: 'ingress',
    object: 'shop/db',
    peer: 'west',
    reason: REASONS.IngressDenied,
    opened: false,
    message: 'AccessPolicy shop/no-west denies it.',
    sentBytes: 0,
    receivedBytes: 0,
    durationMs: 1,
    ...changes,
  };
}

const binding = (name: string, owner: string): Applied<'ImportBinding'> => ({
  apiVersion: 'mcs.clusterlink.net/v1alpha1',
  kind: 'ImportBinding',
  metadata: { namespace: 'clusterlink-system', name: `${name}.store` },
  spec: {
    import: { namespace: 'store', name },
    owner: { kind: owner, name: 'x' },
    type: 'ClusterSetIP',
    ips: [],
    ports: [],
    sources: [],
  },
});

describe('makeRefusalEvents', () => {
  async function scene() {
    const store = makeMemoryStore();
    const place = { namespace: 'store', name: 'db' };
    const objects: readonly Applied<KindName>[] = [
      {
        apiVersion: 'multicluster.x-k8s.io/v1beta1',
        kind: 'ServiceExport',
        metadata: { namespace: 'shop', name: 'db' },
      },
      {
        apiVersion: 'clusterlink.net/v1alpha1',
        kind: 'Export',
        metadata: { namespace: 'shop', name: 'api' },
        spec: { port: 80 },
      },
      {
        apiVersion: 'multicluster.x-k8s.io/v1beta1',
        kind: 'ServiceImport',
        metadata: place,
        spec: { type: 'ClusterSetIP', ports: [] },
      },
      {
        apiVersion: 'clusterlink.net/v1alpha1',
        kind: 'Import',
        metadata: { namespace: 'store', name: 'cart' },
        spec: { port: 80, sources: [], lbScheme: 'round-robin' },
      },
      binding('db', 'ClusterImportRule'),
      binding('cart', 'Import'),
      binding('gone', 'ClusterImportRule'),
    ];
    for (const object of objects) await store.apply(object, user);
    const caches = openCaches(store, ['ServiceExport', 'Export', 'ImportBinding']);
    await Promise.all(Object.values(caches).map(({ synced }) => synced));
    const recorded: RecordedEvent[] = [];
    let nowMs = 1_000_000;
    let reads = 0;
    const refusals = makeRefusalEvents({
      events: { record: (event) => void recorded.push(event) },
      store: { get: (kind, key) => (reads++, store.get(kind, key)) },
      ...{ caches, logger },
      clock: { nowMs: () => nowMs },
    });
    return {
      recorded,
      pass: (ms: number) => (nowMs += ms),
      reads: () => reads,
      async told(...records: ClosingRecord[]): Promise<string[]> {
        recorded.length = 0;
        for (const record of records) refusals.onClosed(record);
        await setImmediate();
        return recorded.map(({ type, reason, regarding }) => `${type} ${reason} ${regarding.kind}`);
      },
      onClosed: refusals.onClosed,
      async close() {
        closeCaches(caches);
        await store.close();
      },
    };
  }

  const CASES: readonly [changes: Partial<ClosingRecord>, told: string, note: RegExp][] = [
    [
      {},
      'Warning IngressDenied ServiceExport',
      /from peer west .*shop\/no-west denies it\. Fix: .*allow --namespace shop --export shop\/db --from-peer west/,
    ],
    [{ object: 'shop/api' }, 'Warning IngressDenied Export', /--export shop\/api/],
    [
      { reason: REASONS.TargetForbidden, message: 'x. Fix: y.' },
      'Warning TargetForbidden ServiceExport',
      /refused: x\. Fix: y\.$/,
    ],
    [{ reason: REASONS.PeerNameMismatch }, 'Warning PeerNameMismatch ServiceExport', /Fix: correct the address/],
    [{ reason: REASONS.EgressDenied }, 'Warning EgressDenied ServiceExport', /owner of peer west/],
    [
      { direction: 'egress', object: 'store/db', reason: REASONS.EgressDenied, peer: '' },
      'Warning EgressDenied ServiceImport',
      /^A connection was refused: .*AccessPolicy in namespace store/,
    ],
    [
      { direction: 'egress', object: 'store/cart', reason: REASONS.ClientUnknown },
      'Warning ClientUnknown Import',
      /to peer west .*explain/,
    ],
    [{ direction: 'egress', object: 'store/db' }, 'Warning IngressDenied ServiceImport', /ask the owner of peer west/],
  ];
  for (const [changes, told, note] of CASES) {
    it(`${changes.direction ?? 'ingress'} ${changes.reason ?? 'INGRESS_DENIED'} of ${changes.object ?? 'shop/db'} → ${told}`, async () => {
      const world = await scene();
      assert.deepEqual(await world.told(closing(changes)), [told]);
      assert.match(world.recorded[0]?.note ?? '', note);
      assert.ok(world.recorded[0]?.regarding.metadata?.uid !== undefined, 'kubectl describe finds events by uid');
      await world.close();
    });
  }

  it('an ordinary end, a cut of an open connection, trouble on the way, an object that is not there → nothing', async () => {
    const world = await scene();
    assert.deepEqual(
      await world.told(
        closing({ reason: REASONS.Done, opened: true }),
        closing({ reason: REASONS.IngressDenied, opened: true }),
        closing({ reason: REASONS.DialFailed }),
        closing({ object: 'shop/none' }),
        closing({ object: 'store/none', direction: 'egress' }),
        closing({ object: 'store/gone', direction: 'egress' }),
      ),
      [],
    );
    await world.close();
  });

  it('again within the interval → one event for each object, peer and reason; after it → again', async () => {
    const world = await scene();
    const three = [closing(), closing({ peer: 'north' }), closing({ reason: REASONS.TargetForbidden })];
    assert.equal((await world.told(...three, ...three)).length, 3);
    world.pass(REFUSAL_EVENT_INTERVAL_MS - 1);
    assert.equal((await world.told(...three)).length, 0);
    world.pass(1);
    assert.equal((await world.told(...three)).length, 3);
    await world.close();
  });

  it('more than are remembered → the oldest may come again, and nothing else', async () => {
    const world = await scene();
    const peers = Array.from({ length: REFUSAL_EVENTS_REMEMBERED_MAX }, (_, index) => closing({ peer: `p${index}` }));
    assert.equal((await world.told(...peers)).length, REFUSAL_EVENTS_REMEMBERED_MAX);
    assert.equal((await world.told(...peers)).length, 0);
    assert.equal((await world.told(closing({ peer: 'one-more' }))).length, 1);
    assert.equal((await world.told(closing({ peer: 'p1' }))).length, 0);
    assert.equal((await world.told(closing({ peer: 'p0' }))).length, 1);
    await world.close();
  });

  it('many imports refuse at once → a few are looked up; the others get theirs when they refuse again', async () => {
    const world = await scene();
    const many = Array.from({ length: REFUSAL_LOOKUPS_MAX + 3 }, (_, index) =>
      closing({ direction: 'egress', object: 'store/db', peer: `p${index}` }),
    );
    assert.equal((await world.told(...many)).length, REFUSAL_LOOKUPS_MAX);
    assert.equal(world.reads(), REFUSAL_LOOKUPS_MAX);
    assert.equal((await world.told(...many)).length, 3);
    await world.close();
  });
});
