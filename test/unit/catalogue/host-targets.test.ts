import assert from 'node:assert/strict';
import type { IExport } from '#src/api/generated/Export.ts';
import { makeHostRestriction, type TargetProspect } from '#src/catalogue/host-targets.ts';
import type { ExportTarget } from '#src/catalogue/pod-targets.ts';
import { readCatalogue } from '#src/catalogue/read.ts';
import { service, slice } from './fixtures.ts';

const exported = (name: string, host?: string): IExport => ({
  apiVersion: 'clusterlink.net/v1alpha1',
  kind: 'Export',
  metadata: { namespace: 'shop', name, uid: name, creationTimestamp: '2026-01-01T00:00:00Z' },
  spec: { port: 5432, ...(host === undefined ? {} : { host }) },
});

const listOf = <T>(...objects: readonly T[]) => ({ list: () => objects });

describe('makeHostRestriction', () => {
  function readyOf(prospect: TargetProspect): Readonly<Record<string, number>> {
    const asked: ExportTarget[] = [];
    const restriction = makeHostRestriction((target) => {
      asked.push(target);
      return prospect;
    });
    const { sources, forbidden } = restriction.restrict({
      ServiceExport: listOf(),
      Export: listOf(exported('db'), exported('vm', '192.0.2.7'), exported('named', 'db.shop.svc.cluster.local')),
      Service: listOf(service()),
      EndpointSlice: listOf(slice([{ addresses: ['10.0.0.1'] }])),
    });
    assert.equal(forbidden.size, 0);
    assert.deepEqual(asked, [{ namespace: 'shop', host: '192.0.2.7', port: 5432 }], 'Services are not asked about');
    return Object.fromEntries(
      readCatalogue(sources, []).entries.map(({ name, record }) => [name, record.readyEndpoints]),
    );
  }

  it('CFL-8.6 a host that is certainly forbidden → offered without an endpoint: importers know that it cannot be used', () => {
    assert.deepEqual(readyOf('forbidden'), { db: 1, named: 1, vm: 0 });
  });

  for (const prospect of ['permitted', 'unseen'] as const) {
    it(`a host that is ${prospect} → one endpoint`, () =>
      assert.deepEqual(readyOf(prospect), { db: 1, named: 1, vm: 1 }));
  }
});
