import assert from 'node:assert/strict';
import { gatewayStatusManager, SYSTEM_NAMESPACE } from '#src/api/names.ts';
import { PEER_STATUS_WRITES_AT_ONCE_MAX } from '#src/gateway/limits.ts';
import type { ImportObservation, PeerObservation } from '#src/gateway/messages.ts';
import { makeStatusWriter, type StatusWriter } from '#src/gateway/status-writer.ts';
import { makeSilentLogger } from '#src/runtime/log.ts';
import { closeCaches, openCaches, type CachesOf } from '#src/store/caches.ts';
import { makeMemoryStore } from '#src/store/memory.ts';
import type { Store } from '#src/store/store.ts';
import { waitFor } from '#test/support/wait.ts';

const user = { fieldManager: 'tester' };
const POD = 'gateway-7d9c-x2x4p';
const key = { namespace: SYSTEM_NAMESPACE, name: 'db.store' };

function observe(changes: Partial<ImportObservation> = {}): ImportObservation {
  return {
    key: { namespace: 'store', name: 'db' },
    listeners: [{ port: 5432, address: '10.0.0.5', listenPort: 20_001, state: 'Listening' }],
    sources: [{ peer: 'east', namespace: 'shop', name: 'db', usable: true }],
    ...changes,
  };
}
const reachable: PeerObservation = { name: 'east', sessions: 1, version: '1.0.0', message: '' };

describe('makeStatusWriter', () => {
  let store: Store;
  let caches: CachesOf<'Peer' | 'ImportBinding'>;
  let writer: StatusWriter;
  /** Field managers, one for each status write. */
  let writes: string[];

  beforeEach(async () => {
    store = makeMemoryStore();
    caches = openCaches(store, ['Peer', 'ImportBinding']);
    writes = [];
    await store.apply(
      {
        apiVersion: 'mcs.clusterlink.net/v1alpha1',
        kind: 'ImportBinding',
        metadata: key,
        spec: {
          import: { namespace: 'store', name: 'db' },
          owner: { kind: 'ClusterImportRule', name: 'r' },
          type: 'ClusterSetIP',
          ips: ['10.96.0.1'],
          ports: [{ name: '', protocol: 'TCP', port: 5432, targetPort: 20_001 }],
          sources: [],
        },
      },
      user,
    );
    const peer = { namespace: SYSTEM_NAMESPACE, name: 'east' };
    await store.apply(
      { apiVersion: 'clusterlink.net/v1alpha1', kind: 'Peer', metadata: peer, spec: { gateways: [] } },
      user,
    );
    await waitFor('the caches have them', () => caches.ImportBinding.get(key) !== undefined && caches.Peer.get(peer));
  });
  afterEach(async () => {
    await writer.close();
    closeCaches(caches);
    await store.close();
  });

  function start(pod?: string, self = 'west'): StatusWriter {
    writer = makeStatusWriter({
      self,
      store: {
        ...store,
        applyStatus(object, options) {
          writes.push(options.fieldManager);
          return store.applyStatus(object, options);
        },
      },
      caches,
      logger: makeSilentLogger(),
      now: () => '2026-11-20T12:00:00Z',
      ...(pod === undefined ? {} : { pod }),
    });
    return writer;
  }

  it('a peer that comes and goes all the time → a few writes and then one a second, the newest word among them', async () => {
    const { observePeer } = start();
    for (let round = 0; round < 3 * PEER_STATUS_WRITES_AT_ONCE_MAX; round++) {
      observePeer(round % 2 === 0 ? reachable : { name: 'east', sessions: 0, message: `gone ${round}` });
      for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
    assert.ok(writes.length <= PEER_STATUS_WRITES_AT_ONCE_MAX + 1, String(writes.length));
    const said = () => caches.Peer.get({ namespace: SYSTEM_NAMESPACE, name: 'east' })?.status?.conditions?.[0]?.message;
    await waitFor('the newest is written', () => said() === `gone ${3 * PEER_STATUS_WRITES_AT_ONCE_MAX - 1}`);
  });
  const status = () => caches.ImportBinding.get(key)?.status;
  const peerStatus = () => caches.Peer.get({ namespace: SYSTEM_NAMESPACE, name: 'east' })?.status;
  const entryOf = (pod: string) => status()?.gateways?.find(({ name }) => name === pod);

  it("a peer that speaks ClusterLink's form → reason Heartbeat as there, the form in words, and the labels that it claims", async () => {
    const message = "It speaks ClusterLink's form; 1 of 2 gateways answer heartbeats.";
    const labels = { region: 'eu' };
    start().observePeer({ ...reachable, version: 'clusterlink', form: 'clusterlink', labels, message });
    await waitFor('it is written', () => peerStatus()?.conditions?.[0]?.status === 'True');
    const { conditions = [], ...rest } = peerStatus() ?? {};
    assert.deepEqual([conditions[0]?.reason, conditions[0]?.message], ['Heartbeat', message]);
    assert.deepEqual(rest, { labels, sessions: 1, version: 'clusterlink' });
    // An emptied map would be null to an API server.
    writer.observePeer({ ...reachable, version: 'clusterlink', form: 'clusterlink', labels: {}, message: 'none' });
    await waitFor('it claims none', () => peerStatus()?.conditions?.[0]?.message === 'none');
    assert.equal('labels' in (peerStatus() ?? {}), false);
    writer.observePeer({ name: 'east', sessions: 0, reason: 'PEER_UNREACHABLE', message: 'gone' });
    await waitFor('it is gone', () => peerStatus()?.conditions?.[0]?.status === 'False');
    assert.equal(peerStatus()?.labels, undefined);
  });

  it('a Peer object of this peer itself → reachable, whatever is observed (TestPeerStatus)', async () => {
    start(undefined, 'east');
    const object = caches.Peer.get({ namespace: SYSTEM_NAMESPACE, name: 'east' });
    assert.ok(object !== undefined);
    const metadata = { namespace: SYSTEM_NAMESPACE, name: 'east', labels: { a: 'b' } };
    await store.apply({ apiVersion: object.apiVersion, kind: 'Peer', metadata, spec: object.spec }, user);
    await waitFor('it is written', () => peerStatus()?.conditions?.[0]?.reason === 'Self');
    assert.equal(peerStatus()?.conditions?.[0]?.status, 'True');
  });

  it('in a cluster → an entry of this pod alone, under a field manager of its own', async () => {
    start(POD).observeImport(observe());
    await waitFor('it is written', () => entryOf(POD));
    assert.deepEqual(status(), { gateways: [{ name: POD, listening: [20_001], sources: observe().sources }] });
    assert.deepEqual(writes, [gatewayStatusManager(POD)]);
  });

  it('the same again, and what others say of the binding → no further write', async () => {
    start(POD).observeImport(observe());
    await waitFor('it is written', () => entryOf(POD));
    writer.observeImport(observe());
    const theirs = { conditions: [] };
    await store.applyStatus(
      { apiVersion: 'mcs.clusterlink.net/v1alpha1', kind: 'ImportBinding', metadata: key, status: theirs },
      user,
    );
    writer.observeImport(observe({ sources: [] }));
    await waitFor('a change is written', () => entryOf(POD)?.sources.length === 0);
    assert.equal(writes.length, 2);
  });

  it('this replica goes → its entry is taken back, and stays away', async () => {
    start(POD).observeImport(observe());
    await waitFor('it is written', () => entryOf(POD));
    writer.leave();
    await waitFor('it is gone', () => entryOf(POD) === undefined);
    writer.observeImport(observe({ sources: [] }));
    await waitFor('nothing is left to do', () => entryOf(POD) === undefined);
    assert.equal(writes.length, 2);
  });

  it('an entry of this pod from before, for what is not served → taken back once a snapshot is in force', async () => {
    await store.applyStatus(
      {
        apiVersion: 'mcs.clusterlink.net/v1alpha1',
        kind: 'ImportBinding',
        metadata: key,
        status: { gateways: [{ name: POD, listening: [20_001], sources: [] }] },
      },
      { fieldManager: gatewayStatusManager(POD) },
    );
    await waitFor('the cache has it', () => entryOf(POD));
    start(POD).retain({ peers: new Set(), imports: new Set() });
    await waitFor('it is gone', () => entryOf(POD) === undefined);
  });

  it('a peer, while another replica leads → not a word; when this one does → written', async () => {
    start(POD).observePeer(reachable);
    writer.observeImport(observe());
    await waitFor('the import is written', () => entryOf(POD));
    assert.equal(peerStatus(), undefined);
    writer.setLeading(true);
    await waitFor('it is written', () => peerStatus()?.sessions === 1);
    writer.setLeading(false);
    writer.observePeer({ ...reachable, sessions: 2 });
    writer.observeImport(observe({ sources: [] }));
    await waitFor('the import is written', () => entryOf(POD)?.sources.length === 0);
    assert.equal(peerStatus()?.sessions, 1);
  });

  it('standalone → listeners and sources of the one gateway, and peers, as ever', async () => {
    start().observeImport(observe());
    writer.observePeer(reachable);
    await waitFor('they are written', () => status()?.listeners !== undefined && peerStatus()?.sessions === 1);
    assert.deepEqual([status()?.gateways, status()?.listeners?.length, status()?.sources?.length], [undefined, 1, 1]);
  });
});
