import assert from 'node:assert/strict';
import type { IAccessPolicy } from '#src/api/generated/AccessPolicy.ts';
import type { IExport } from '#src/api/generated/Export.ts';
import type { IImportBinding } from '#src/api/generated/ImportBinding.ts';
import type { IPeer } from '#src/api/generated/Peer.ts';
import type { IServiceExport } from '#src/api/generated/ServiceExport.ts';
import { findCondition } from '#src/api/conditions.ts';
import { desiredPolicyCondition } from '#src/controllers/access-policy/desired.ts';
import { makeAccessPolicyController } from '#src/controllers/access-policy/reconciler.ts';
import { countSelected, targetsByNamespace } from '#src/controllers/access-policy/selected.ts';
import type { Controller } from '#src/controllers/controller.ts';
import { POLICY_COUNT_DELAY_MS } from '#src/controllers/limits.ts';
import { policyProblems } from '#src/api/validation/policy.ts';
import { closeCaches, openCaches } from '#src/store/caches.ts';
import { makeMemoryStore } from '#src/store/memory.ts';
import { waitFor } from '#test/support/wait.ts';
import { is, regular, spec } from '../policy/fixtures.ts';

const self = { name: 'west', labels: { region: 'us' } };
const user = { fieldManager: 'user' };

function exported(namespace: string, name: string, valid: 'True' | 'False' = 'True'): IServiceExport {
  const condition = { type: 'Valid', reason: 'x', message: '', lastTransitionTime: '2026-11-20T12:00:00Z' };
  return {
    apiVersion: 'multicluster.x-k8s.io/v1beta1',
    kind: 'ServiceExport',
    metadata: { namespace, name, labels: { tier: 'gold' } },
    status: { conditions: [{ ...condition, status: valid }] },
  };
}

function clusterlinkExport(namespace: string, name: string, valid: 'True' | 'False' = 'True'): IExport {
  const condition = { type: 'ExportValid', reason: 'x', message: '', lastTransitionTime: '2026-11-20T12:00:00Z' };
  return {
    apiVersion: 'clusterlink.net/v1alpha1',
    kind: 'Export',
    metadata: { namespace, name, labels: { tier: 'gold' } },
    status: { conditions: [{ ...condition, status: valid }] },
  };
}

function binding(namespace: string, name: string, peers: readonly string[]): IImportBinding {
  return {
    apiVersion: 'mcs.clusterlink.net/v1alpha1',
    kind: 'ImportBinding',
    metadata: { namespace: 'clusterlink-system', name: `${name}.${namespace}` },
    spec: {
      owner: { kind: 'ClusterImportRule', name: 'r' },
      import: { namespace, name },
      type: 'ClusterSetIP',
      ips: [],
      ports: [],
      sources: peers.map((peer) => ({ peer, namespace: 'shop', name: 'db', ports: [], readyEndpoints: 1 })),
      labels: { tier: 'gold' },
    },
  };
}

const eastPeer: IPeer = {
  apiVersion: 'clusterlink.net/v1alpha1',
  kind: 'Peer',
  metadata: { namespace: 'clusterlink-system', name: 'east', labels: { region: 'eu' } },
  spec: { gateways: [] },
};

describe('countSelected', () => {
  const targets = targetsByNamespace({
    self,
    exports: [exported('shop', 'cart'), exported('prod', 'cart'), exported('shop', 'broken', 'False')],
    imports: [binding('shop', 'db', ['east', 'north']), binding('web', 'db', ['west']), binding('web', 'none', [])],
    peers: [eastPeer],
  });
  const rows: [what: string, to: Parameters<typeof spec>[2], exports: number, imports: number][] = [
    ['everything → all valid exports, and imports with a source', {}, 2, 2],
    ['the name of an export → those of that name, imports of such included', is({ exp: 'db' }), 0, 2],
    ['this peer → its own exports, and the import that it backs itself', is({ peer: 'west' }), 2, 1],
    ['a peer that is one of two sources → that import', is({ peer: 'north' }), 0, 1],
    ['a label of a Peer object → imports from it', is({ region: 'eu' }), 0, 1],
    ['a label of this peer → its exports, and the import of its own', is({ region: 'us' }), 2, 1],
    ['a label of exports and imports → both', is({ tier: 'gold' }), 2, 2],
    ['two items → what one of them selects, once', [is({ exp: 'cart' }), is({ tier: 'gold' })], 2, 2],
    ['a name that nothing has → nothing', is({ exp: 'crat' }), 0, 0],
  ];
  for (const [what, to, exports, imports] of rows) {
    it(what, () => {
      assert.deepEqual(countSelected(spec('allow', {}, to).to, targets.values()), { exports, imports });
    });
  }

  it('one namespace → what is of it alone', () => {
    assert.deepEqual(countSelected(spec('allow').to, [targets.get('shop') ?? []]), { exports: 1, imports: 1 });
  });
});

describe('targetsByNamespace', () => {
  it('ClusterLink Exports → count like ServiceExports; one that is not valid, as where its name is taken, does not', () => {
    const targets = targetsByNamespace({
      self,
      exports: [exported('shop', 'cart'), clusterlinkExport('shop', 'api'), clusterlinkExport('shop', 'cart', 'False')],
      imports: [],
      peers: [],
    });
    assert.deepEqual(countSelected([{ workloadSelector: {} }], targets.values()), { exports: 2, imports: 0 });
    const api = [{ workloadSelector: { matchLabels: { 'export.clusterlink.net/name': 'api' } } }];
    assert.deepEqual(countSelected(api, targets.values()), { exports: 1, imports: 0 });
  });
});

describe('desiredPolicyCondition', () => {
  it('valid → how much it selects, and nothing while that is not known', () => {
    const messageOf = (selected?: { exports: number; imports: number }) =>
      desiredPolicyCondition({ action: 'allow', problems: [], selected }).message;
    assert.equal(messageOf({ exports: 0, imports: 0 }), 'spec.to selects no export and no import now.');
    assert.equal(messageOf({ exports: 1, imports: 2 }), 'spec.to selects 1 export and 2 imports now.');
    assert.equal(messageOf(), '');
  });

  it('invalid → the problems, and what it does until it is mended', () => {
    const problems = policyProblems({ ...spec('deny'), from: 'all' });
    const draft = desiredPolicyCondition({ action: 'deny', problems });
    assert.equal(draft.status, 'False');
    assert.match(draft.message, /^spec\.from: .*\n.*denies everything in its scope\.$/);
  });
});

describe('makeAccessPolicyController', () => {
  it('exports come and go → after a while the policies say so that select them; a count that stays is not written', async () => {
    const store = makeMemoryStore();
    const caches = openCaches(store, [
      'AccessPolicy',
      'PrivilegedAccessPolicy',
      'BaselineAccessPolicy',
      'ServiceExport',
      'Export',
      'ImportBinding',
      'Peer',
    ]);
    const controller: Controller = makeAccessPolicyController({ self, store, caches, clock: { nowMs: () => 0 } });
    const enqueued: [key: string, delayMs: number | undefined][] = [];
    const stops = controller.watches((key, delayMs) => enqueued.push([key, delayMs]));
    const { signal } = new AbortController();
    const policy = (name: string): IAccessPolicy | undefined => caches.AccessPolicy.get({ namespace: 'shop', name });
    const told = (name: string) => findCondition(policy(name)?.status?.conditions, 'Valid')?.message;
    try {
      for (const name of ['cart', 'db']) {
        const metadata = { namespace: 'shop', name };
        await store.apply({ ...regular('shop', spec('allow', {}, is({ exp: name }))), metadata }, user);
      }
      await waitFor('the policies are there', () => caches.AccessPolicy.list().length === 2);
      await controller.reconcile('AccessPolicy shop/cart', signal);
      await controller.reconcile('AccessPolicy shop/db', signal);
      await waitFor('both are told', () => told('cart') === told('db') && told('cart') !== undefined);
      assert.equal(told('cart'), 'spec.to selects no export and no import now.');

      const { apiVersion, kind, status = {} } = exported('shop', 'cart');
      const named = { apiVersion, kind, metadata: { namespace: 'shop', name: 'cart' } };
      await store.apply(named, user);
      await store.applyStatus({ ...named, status }, user);
      await waitFor('the export is valid', () => caches.ServiceExport.list()[0]?.status !== undefined);
      const before = policy('db')?.metadata?.resourceVersion;
      assert.deepEqual(enqueued.at(-1), ['all', POLICY_COUNT_DELAY_MS]);
      await controller.reconcile('all', signal);
      await waitFor('it is counted', () => told('cart') === 'spec.to selects 1 export and no import now.');
      assert.equal(policy('db')?.metadata?.resourceVersion, before);
    } finally {
      stops.forEach((stop) => stop());
      closeCaches(caches);
      await store.close();
    }
  });
});
