import assert from 'node:assert/strict';
import type { EndpointSliceEndpoint } from '#src/api/generated/EndpointSlice.ts';
import { ENDPOINTS_PER_PORT_MAX, RECORD_HOSTNAMES_MAX } from '#src/catalogue/limits.ts';
import type { CatalogueEntry } from '#src/catalogue/types.ts';
import { entryOf, refusalOf, service, slice } from './fixtures.ts';

const ENDPOINTS = 'mcs.clusterlink.net/endpoints';

/** `name: host:port host:port` for each port. */
function format({ ports }: CatalogueEntry): string[] {
  return ports.map(
    ({ name, endpoints }) => `${name}: ${endpoints.map(({ host, port }) => `${host}:${port}`).join(' ')}`,
  );
}

const TWO_PORTS = {
  ports: [
    { name: 'pg', port: 5432 },
    { name: 'web', port: 80 },
  ],
};

describe('endpointsOf an annotation', () => {
  it('one endpoint, one port → it serves that port', () => {
    const entry = entryOf({ services: [service('shop/db', {}, { [ENDPOINTS]: '127.0.0.1:15432' })] });
    assert.deepEqual(format(entry), ['pg: 127.0.0.1:15432']);
    assert.equal(entry.record.readyEndpoints, 1);
  });

  it('several, and one twice → each once, sorted', () => {
    const text = '127.0.0.2:1,127.0.0.1:2,127.0.0.2:1';
    const entry = entryOf({ services: [service('shop/db', {}, { [ENDPOINTS]: text })] });
    assert.deepEqual(format(entry), ['pg: 127.0.0.1:2 127.0.0.2:1']);
    assert.equal(entry.record.readyEndpoints, 2);
  });

  it('a group for each port → by name; a port without a group has none', () => {
    const text = 'pg=127.0.0.1:1;web=127.0.0.1:2';
    assert.deepEqual(format(entryOf({ services: [service('shop/db', TWO_PORTS, { [ENDPOINTS]: text })] })), [
      'pg: 127.0.0.1:1',
      'web: 127.0.0.1:2',
    ]);
    assert.deepEqual(
      format(entryOf({ services: [service('shop/db', TWO_PORTS, { [ENDPOINTS]: 'web=127.0.0.1:2' })] })),
      ['pg: ', 'web: 127.0.0.1:2'],
    );
  });

  it('no port name beside several ports → InvalidService', () => {
    const verdict = refusalOf({ services: [service('shop/db', TWO_PORTS, { [ENDPOINTS]: '127.0.0.1:1' })] });
    assert.equal(verdict.reason, 'InvalidService');
    assert.match(verdict.message, /which port/);
  });

  it('a port that the Service lacks → InvalidService', () => {
    const verdict = refusalOf({ services: [service('shop/db', TWO_PORTS, { [ENDPOINTS]: 'ftp=127.0.0.1:1' })] });
    assert.match(verdict.message, /lacks: ftp/);
  });

  it('an annotation and slices → the annotation', () => {
    const services = [service('shop/db', {}, { [ENDPOINTS]: '127.0.0.1:1' })];
    const entry = entryOf({ services, endpointSlices: [slice([{ addresses: ['10.0.0.1'] }])] });
    assert.deepEqual(format(entry), ['pg: 127.0.0.1:1']);
  });
});

describe('endpointsOf slices', () => {
  it('slices of ours, of an Import that joined the Service → no endpoints: an import is never a source', () => {
    const joined = slice([{ addresses: ['10.244.0.9'] }]);
    const labels = { ...joined.metadata?.labels, 'app.kubernetes.io/managed-by': 'clusterlink-mcs' };
    const ours = { ...joined, metadata: { ...joined.metadata, name: 'db-y', labels } };
    assert.deepEqual(format(entryOf({ endpointSlices: [ours] })), ['pg: ']);
    const entry = entryOf({ endpointSlices: [ours, slice([{ addresses: ['10.0.0.1'] }])] });
    assert.deepEqual(format(entry), ['pg: 10.0.0.1:15432']);
    assert.equal(entry.record.readyEndpoints, 1);
  });

  const CONDITIONS: [conditions: EndpointSliceEndpoint['conditions'], isUsed: boolean][] = [
    [undefined, true],
    [{}, true],
    [{ ready: true }, true],
    [{ ready: false }, false],
    [{ ready: false, serving: true }, false],
    [{ ready: true, terminating: true }, false],
  ];
  for (const [conditions, isUsed] of CONDITIONS) {
    it(`DNS-20: conditions ${JSON.stringify(conditions)} → ${isUsed ? 'used' : 'not used'}`, () => {
      const endpoint = { addresses: ['10.0.0.1'], ...(conditions === undefined ? {} : { conditions }) };
      const entry = entryOf({ endpointSlices: [slice([endpoint])] });
      assert.equal(entry.record.readyEndpoints, isUsed ? 1 : 0);
      assert.deepEqual(format(entry), [isUsed ? 'pg: 10.0.0.1:15432' : 'pg: ']);
    });
  }

  it('EXP-18: no ready endpoint → offered all the same', () => {
    assert.equal(entryOf({ endpointSlices: [] }).record.readyEndpoints, 0);
  });

  it('several slices that overlap → distinct endpoints, of the first address each', () => {
    const endpointSlices = [
      slice([{ addresses: ['10.0.0.2', '10.0.0.9'] }, { addresses: ['10.0.0.1'] }]),
      slice([{ addresses: ['10.0.0.1'] }, { addresses: [] }]),
    ];
    const entry = entryOf({ endpointSlices });
    assert.deepEqual(format(entry), ['pg: 10.0.0.1:15432 10.0.0.2:15432']);
    assert.equal(entry.record.readyEndpoints, 2);
  });

  it('ports → by name and protocol; an endpoint of two ports is counted once', () => {
    const ports = [
      { name: 'web', port: 8080 },
      { name: 'pg', port: 15432 },
      { name: 'pg', protocol: 'UDP' as const, port: 1 },
      { name: 'other', port: 2 },
      { name: 'pg' },
    ];
    const entry = entryOf({
      services: [service('shop/db', TWO_PORTS)],
      endpointSlices: [slice([{ addresses: ['10.0.0.1'] }], ports)],
    });
    assert.deepEqual(format(entry), ['pg: 10.0.0.1:15432', 'web: 10.0.0.1:8080']);
    assert.equal(entry.record.readyEndpoints, 1);
  });

  it('an unnamed port → the unnamed port of the slice', () => {
    const entry = entryOf({
      services: [service('shop/db', { ports: [{ port: 80 }] })],
      endpointSlices: [slice([{ addresses: ['10.0.0.1'] }], [{ port: 8080 }])],
    });
    assert.deepEqual(format(entry), [': 10.0.0.1:8080']);
  });

  it('slices of another namespace or Service → not its endpoints', () => {
    const endpointSlices = ['other/db', 'shop/web'].map((key) => slice([{ addresses: ['10.0.0.1'] }], undefined, key));
    assert.deepEqual(format(entryOf({ endpointSlices })), ['pg: ']);
  });

  it('headless → host names of ready endpoints, sorted, and only those that are labels', () => {
    const endpoints = ['db-1', 'db-0', 'Not_A_Label'].map((hostname, index) => ({
      addresses: [`10.0.0.${index}`],
      hostname,
    }));
    const away = { addresses: ['10.0.0.9'], hostname: 'db-9', conditions: { ready: false } };
    const endpointSlices = [slice([...endpoints, away, { addresses: ['10.0.0.8'] }])];
    const { record } = entryOf({ services: [service('shop/db', { clusterIP: 'None' })], endpointSlices });
    assert.deepEqual(record.hostnames, ['db-0', 'db-1']);
    assert.equal(record.readyEndpoints, 4);
    assert.equal(entryOf({ endpointSlices }).record.hostnames, undefined);
  });

  it('more host names than a record carries, of the longest kind → the first, and the record still fits', () => {
    const hostname = (index: number): string => `${String(index).padStart(4, '0')}${'h'.repeat(59)}`;
    const endpoints = Array.from({ length: RECORD_HOSTNAMES_MAX + 1 }, (_, index) => ({
      addresses: [`host-${index}`],
      hostname: hostname(index),
    }));
    const services = [service('shop/db', { clusterIP: 'None' })];
    const { record } = entryOf({ services, endpointSlices: [slice(endpoints)] });
    assert.equal(record.hostnames?.length, RECORD_HOSTNAMES_MAX);
    assert.equal(record.hostnames?.at(-1), hostname(RECORD_HOSTNAMES_MAX - 1));
    assert.equal(record.readyEndpoints, RECORD_HOSTNAMES_MAX + 1);
  });

  it('more endpoints than a port may have → the first are used, all are counted', () => {
    const endpoints = Array.from({ length: ENDPOINTS_PER_PORT_MAX + 1 }, (_, index) => ({
      addresses: [`host-${index}`],
    }));
    const full = entryOf({ endpointSlices: [slice(endpoints.slice(1))] });
    assert.equal(full.ports[0]?.endpoints.length, ENDPOINTS_PER_PORT_MAX);
    const beyond = entryOf({ endpointSlices: [slice(endpoints)] });
    assert.equal(beyond.ports[0]?.endpoints.length, ENDPOINTS_PER_PORT_MAX);
    assert.equal(beyond.record.readyEndpoints, ENDPOINTS_PER_PORT_MAX + 1);
  });
});
