import assert from 'node:assert/strict';
import { makeAddressPool } from '#src/controllers/import/address-pool.ts';
import type { MergedImport } from '#src/merge/types.ts';

function makeMerged(name: string, ipFamilies: MergedImport['ipFamilies'] = ['IPv4']): MergedImport {
  return {
    key: { namespace: 'store', name },
    owner: { kind: 'ClusterImportRule', name: 'shop' },
    type: 'ClusterSetIP',
    ports: [{ name: 'pg', protocol: 'TCP', port: 5432 }],
    ipFamilies,
    sources: [],
    sessionAffinity: 'None',
    internalTrafficPolicy: 'Cluster',
    loadBalancing: { scheme: 'RoundRobin', localFirst: true },
    labels: {},
    annotations: {},
  };
}

describe('makeAddressPool', () => {
  const signal = new AbortController().signal;

  it('two imports → an address each, saved before it is given; the same again → nothing is saved', async () => {
    const saves: Readonly<Record<string, string>>[] = [];
    const home = makeAddressPool({
      pool: '127.96.16.0/29',
      load: () => Promise.resolve(saves.at(-1) ?? {}),
      save: (remembered) => Promise.resolve(void saves.push(remembered)),
    });
    const first = await home.publish([makeMerged('db'), makeMerged('web')], signal);
    const second = await home.publish([makeMerged('db'), makeMerged('web')], signal);
    assert.deepEqual([...second.published], [...first.published]);
    assert.deepEqual(first.published.get('store/db')?.ips, [saves[0]?.['store/db']]);
    assert.equal(saves.length, 1);
  });

  for (const { title, families, pool, want } of [
    { title: 'IPv6 only', families: ['IPv6'] as const, pool: '127.96.16.0/29', want: 'IPFamilyNotSupported' },
    { title: 'no family in common', families: [] as const, pool: '127.96.16.0/29', want: 'IPFamilyNotSupported' },
    { title: 'IPv4', families: ['IPv4'] as const, pool: '127.96.16.0/29', want: undefined },
  ]) {
    it(`${title} → ${want ?? 'no problem'} (IMP-25)`, async () => {
      const home = makeAddressPool({ pool, load: () => Promise.resolve({}), save: () => Promise.resolve() });
      const { published } = await home.publish([makeMerged('db', families)], signal);
      assert.equal(published.get('store/db')?.problem?.reason, want);
    });
  }

  it('one import more than the pool has addresses → NoAddress for that one alone', async () => {
    const home = makeAddressPool({
      pool: '127.96.16.0/30',
      load: () => Promise.resolve({}),
      save: () => Promise.resolve(),
    });
    const { published } = await home.publish(
      ['a', 'b', 'c'].map((name) => makeMerged(name)),
      signal,
    );
    assert.deepEqual(
      [...published.values()].map(({ problem }) => problem?.reason),
      [undefined, undefined, 'NoAddress'],
    );
  });
});
