import assert from 'node:assert/strict';
import type { IAccessPolicy } from '#src/api/generated/AccessPolicy.ts';
import type { CatalogueEntry } from '#src/catalogue/types.ts';
import { visibleRecords } from '#src/exchange/disclosure.ts';
import { compilePolicies } from '#src/policy/compile.ts';
import { makeRecord } from './samples.ts';

function makeEntry(name: string, changes: Partial<CatalogueEntry> = {}): CatalogueEntry {
  return { namespace: 'shop', name, uid: name, record: makeRecord(name), ports: [], labels: {}, ...changes };
}

function makePolicy(
  action: 'allow' | 'deny',
  from: Record<string, string>,
  to: Record<string, string> = {},
): IAccessPolicy {
  return {
    apiVersion: 'clusterlink.net/v1alpha1',
    kind: 'AccessPolicy',
    metadata: { namespace: 'shop', name: `${action}-${Object.values({ ...from, ...to }).join('-')}` },
    spec: {
      action,
      from: [{ workloadSelector: { matchLabels: from } }],
      to: [{ workloadSelector: { matchLabels: to } }],
    },
  };
}

const west = { 'peer.clusterlink.net/name': 'west' };
const db = { 'export.clusterlink.net/name': 'db' };
const frontNamespace = { 'client.clusterlink.net/namespace': 'front' };

describe('visibleRecords', () => {
  const entries = [makeEntry('db'), makeEntry('web', { exportTo: ['south'] })];
  const see = (policies: IAccessPolicy[], peer = 'west', offered = entries): string[] =>
    visibleRecords({
      peer: { name: peer, labels: {} },
      self: { name: 'east', labels: {} },
      entries: offered,
      policies: compilePolicies({ privileged: [], regular: policies, baseline: [] }),
    }).map(({ name }) => name);

  const cases: { name: string; policies: IAccessPolicy[]; peer?: string; want: string[] }[] = [
    { name: 'no policy', policies: [], want: [] },
    { name: 'a policy that allows this peer', policies: [makePolicy('allow', west)], want: ['db'] },
    { name: 'a policy that allows another peer', policies: [makePolicy('allow', west)], peer: 'south', want: [] },
    {
      name: 'export-to names another peer, whatever the policies say',
      policies: [makePolicy('allow', {})],
      want: ['db'],
    },
    { name: 'export-to names this peer', policies: [makePolicy('allow', {})], peer: 'south', want: ['db', 'web'] },
    {
      name: 'some workload of the peer could be admitted',
      policies: [makePolicy('allow', frontNamespace)],
      want: ['db'],
    },
    {
      name: 'some workload of the peer could be denied',
      policies: [makePolicy('allow', west), makePolicy('deny', frontNamespace)],
      want: ['db'],
    },
    {
      name: 'every workload of the peer is denied',
      policies: [makePolicy('allow', {}), makePolicy('deny', west)],
      want: [],
    },
    { name: 'the one export is denied', policies: [makePolicy('allow', {}), makePolicy('deny', {}, db)], want: [] },
  ];
  for (const { name, policies, peer, want } of cases) {
    it(`${name} → ${JSON.stringify(want)} (DESIGN §3.3)`, () => {
      assert.deepEqual(see(policies, peer), want);
    });
  }
});
