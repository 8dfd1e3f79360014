import assert from 'node:assert/strict';
import { findCondition } from '#src/api/conditions.ts';
import { eventually } from './api.ts';
import { installed, type Peer } from './fixture.ts';
import { allowAll, importRule } from './rules.ts';
import {
  client,
  dig,
  get,
  namespace,
  server,
  service,
  serviceExport,
  tryGet,
  CURL,
  whenPodsReady,
} from './workloads.ts';

const SHOP = 'shop-named';
const STORE = 'store-named';
const WEB = { namespace: SHOP, name: 'web' };
const IMPORTED = { namespace: STORE, name: 'web' };
const CLIENT = { namespace: STORE, name: 'client' };
const FIELD_OWNER = 'e2e';

interface ManagedFields {
  readonly manager?: string;
  readonly subresource?: string;
  readonly fieldsV1?: Readonly<Record<string, unknown>>;
}

describe('an import under names of its users', () => {
  let east: Peer;
  let west: Peer;

  before(async () => {
    ({ east, west } = installed());
    await east.apply(
      ...[namespace(SHOP), server(east, { namespace: SHOP, name: 'server' }), service(WEB, 'server')],
      ...[serviceExport(WEB), allowAll(SHOP)],
    );
    await west.apply(namespace(STORE), allowAll(STORE), ...client(CLIENT));
    await Promise.all([whenPodsReady(east, SHOP, 1), whenPodsReady(west, STORE, 1)]);
  });

  after(async () => {
    await west.kubectl(['delete', 'clusterimportrule', '--all', '--wait=false']);
    await east.remove('namespace', { namespace: '', name: SHOP });
    await west.remove('namespace', { namespace: '', name: STORE });
  });

  const rule = (spec: object): object =>
    importRule('named', {
      peers: { names: [east.name] },
      exports: { namespaces: [SHOP], names: ['web'] },
      into: { namespace: STORE },
      ...spec,
    });
  const isReady = (object: { status?: { conditions?: never[] } } | undefined): boolean =>
    findCondition(object?.status?.conditions, 'Ready')?.status === 'True';

  it('service: true → the ordinary name of a Service works as well, and goes with the rule’s word', async () => {
    await west.apply(rule({ service: true }));
    await eventually('an answer by the ordinary name', () => get(west, CLIENT, 'web'));
    assert.match(await get(west, CLIENT, 'web.store-named.svc.cluster.local'), new RegExp(`^${east.name}/server-`));
    assert.match(await get(west, CLIENT, 'web.store-named.svc.clusterset.local'), new RegExp(`^${east.name}/server-`));
    await west.apply(rule({ service: false }));
    await west.until('Service', IMPORTED, (object) => object === undefined);
    assert.match(await get(west, CLIENT, 'web.store-named.svc.clusterset.local'), new RegExp(`^${east.name}/server-`));
  });

  it('service: true where a Service of that name is → it stays as it is, and a condition says NameTaken', async () => {
    const theirs = service(IMPORTED, 'nobody');
    await west.apply(rule({ service: false }), theirs);
    const before = await west.get('Service', IMPORTED);
    await west.apply(rule({ service: true }));
    const imported = await west.until('ServiceImport', IMPORTED, (object) => {
      return findCondition(object?.status?.conditions, 'ServicePublished')?.status === 'False';
    });
    assert.equal(findCondition(imported?.status?.conditions, 'ServicePublished')?.reason, 'NameTaken');
    assert.equal((await west.get('Service', IMPORTED))?.metadata?.resourceVersion, before?.metadata?.resourceVersion);
    await west.remove('service', IMPORTED);
    await west.remove('clusterimportrule', { namespace: '', name: 'named' });
    await west.until('ServiceImport', IMPORTED, (object) => object === undefined);
  });

  it('a user’s ServiceImport that no rule covers → untouched, and an event tells how to adopt it', async () => {
    await west.apply(usersImport());
    const before = await west.get('ServiceImport', IMPORTED);
    const note = await eventually('an event', () => eventNote('NoRule'));
    assert.match(note, /Requested/);
    assert.match(note, /ClusterImportRule|ImportRule/);
    assert.equal(
      (await west.get('ServiceImport', IMPORTED))?.metadata?.resourceVersion,
      before?.metadata?.resourceVersion,
    );
  });

  it('a rule of mode Requested → only addresses and status of it are written, and it works', async () => {
    const before = await west.get('ServiceImport', IMPORTED);
    await west.apply(rule({ mode: 'Requested' }));
    const answered = await west.until('ServiceImport', IMPORTED, (object) => isReady(object as never));
    assert.deepEqual(answered?.metadata?.labels, before?.metadata?.labels);
    assert.deepEqual(answered?.metadata?.annotations, before?.metadata?.annotations);
    assert.deepEqual(answered?.metadata?.finalizers, undefined);
    assert.deepEqual(
      { ...answered?.spec, ips: [], ipFamilies: undefined },
      { ...before?.spec, ips: [], ipFamilies: undefined },
    );
    assert.equal(answered?.spec?.ips?.length, 1);
    assert.deepEqual(await fieldsOfOthers(), { spec: ['f:ipFamilies', 'f:ips'] });

    await eventually('an answer', () => get(west, CLIENT, 'web.store-named.svc.clusterset.local'));
    // The user declared one of two ports.
    const refused = await tryGet(west, CLIENT, 'web.store-named.svc.clusterset.local:7000');
    assert.ok(refused.code === CURL.refused || refused.code === 28, `${refused.code} ${refused.stderr}`);
  });

  it('the rule goes → the user’s ServiceImport stays, its addresses and its name do not', async () => {
    await west.remove('clusterimportrule', { namespace: '', name: 'named' });
    const left = await west.until('ServiceImport', IMPORTED, (object) => (object?.spec?.ips ?? []).length === 0);
    assert.equal(left?.metadata?.deletionTimestamp, undefined);
    await eventually('the name is gone', async () => {
      return (await dig(west, CLIENT, 'web.store-named.svc.clusterset.local')).length === 0;
    });
  });

  function usersImport(): object {
    return {
      apiVersion: 'multicluster.x-k8s.io/v1beta1',
      kind: 'ServiceImport',
      metadata: { ...IMPORTED, labels: { team: 'store' }, annotations: { 'example.com/why': 'ours' } },
      spec: { type: 'ClusterSetIP', ports: [{ name: 'http', protocol: 'TCP', port: 80 }], ips: [] },
    };
  }

  async function eventNote(reason: string): Promise<string | undefined> {
    const answer = await west.read(`/apis/events.k8s.io/v1/namespaces/${STORE}/events`);
    const { items } = JSON.parse(answer) as {
      items: { reason?: string; note?: string; regarding?: { kind?: string } }[];
    };
    return items.find((event) => event.reason === reason && event.regarding?.kind === 'ServiceImport')?.note;
  }

  /** Of the part beside status: the fields of spec and metadata that field managers other than the user own. */
  async function fieldsOfOthers(): Promise<Record<string, string[]>> {
    const { metadata } = (await west.get('ServiceImport', IMPORTED)) ?? {};
    const others = ((metadata?.managedFields ?? []) as ManagedFields[]).filter(
      ({ manager, subresource }) => manager !== FIELD_OWNER && subresource === undefined,
    );
    const owned: Record<string, string[]> = {};
    for (const { fieldsV1 = {} } of others) {
      for (const [part, fields] of Object.entries(fieldsV1))
        owned[part.slice('f:'.length)] = Object.keys(fields as object).sort();
    }
    return owned;
  }
});
