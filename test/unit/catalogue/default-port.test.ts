import assert from 'node:assert/strict';
import { findDefaultPort, findFirstPort } from '#src/catalogue/default-port.ts';
import type { CataloguePort } from '#src/catalogue/types.ts';
import { entryOf, service, serviceExport } from './fixtures.ts';

const PIN = 'mcs.clusterlink.net/port';
const FIRST = 'mcs.clusterlink.net/first-port';
const tcp = (name: string, port: number) => ({ name, protocol: 'TCP' as const, port });
const udp = (name: string, port: number) => ({ name, protocol: 'UDP' as const, port });
const PG_WEB = [tcp('pg', 5432), tcp('web', 80)];

describe('findDefaultPort', () => {
  const CASES: readonly {
    readonly title: string;
    readonly annotations?: Record<string, string>;
    readonly ports: readonly Pick<CataloguePort, 'name' | 'protocol' | 'port'>[];
    readonly port: number | undefined;
    readonly note?: RegExp;
  }[] = [
    { title: 'nothing said → the first TCP port', ports: [udp('dns', 53), ...PG_WEB], port: 5432 },
    { title: 'one that was noted → that', annotations: { [FIRST]: '80' }, ports: PG_WEB, port: 80 },
    { title: 'noted and gone → the first', annotations: { [FIRST]: '443' }, ports: PG_WEB, port: 5432 },
    {
      title: 'noted, and a UDP port now → the first',
      annotations: { [FIRST]: '53' },
      ports: [udp('d', 53), ...PG_WEB],
      port: 5432,
    },
    { title: 'a note that cannot be read → the first', annotations: { [FIRST]: '080' }, ports: PG_WEB, port: 5432 },
    { title: 'pinned by name', annotations: { [PIN]: 'web' }, ports: PG_WEB, port: 80 },
    {
      title: 'pinned by number, whatever was noted',
      annotations: { [PIN]: '80', [FIRST]: '5432' },
      ports: PG_WEB,
      port: 80,
    },
    {
      title: 'a pin that the Service lacks → what was noted, and why',
      annotations: { [PIN]: 'metrics', [FIRST]: '80' },
      ports: PG_WEB,
      port: 80,
      note: /no TCP port "metrics", it has "pg 5432", "web 80"; ClusterLink peers get port 80 meanwhile\. Fix: /,
    },
    {
      title: 'a pin to a UDP port → none, and why',
      annotations: { [PIN]: 'dns' },
      ports: [udp('dns', 53)],
      port: undefined,
      note: /it has none; ClusterLink peers get none meanwhile/,
    },
    { title: 'no TCP port → none', ports: [udp('dns', 53)], port: undefined },
  ];
  for (const { title, annotations = {}, ports, port, note } of CASES) {
    it(title, () => {
      const found = findDefaultPort({ annotations }, ports);
      assert.equal(found.port, port);
      if (note === undefined) assert.equal(found.note, undefined);
      else assert.match(found.note ?? '', note);
    });
  }

  it('what the controller notes → does not follow the pin: without it, the port is as it was', () => {
    assert.equal(findFirstPort({ annotations: { [PIN]: 'web' } }, PG_WEB), 5432);
  });

  it('an entry of the catalogue → has it; neither annotation crosses to other peers', () => {
    const { defaultPort, record } = entryOf({
      serviceExports: [serviceExport('shop/db', { annotations: { [PIN]: 'web', [FIRST]: '5432' } })],
      services: [
        service('shop/db', {
          ports: [
            { name: 'pg', port: 5432 },
            { name: 'web', port: 80 },
          ],
        }),
      ],
    });
    assert.equal(defaultPort, 80);
    assert.deepEqual(record.annotations, {});
    assert.equal(record.defaultPort, 80);
  });

  it('one that is the first TCP port anyway → peers are not told: it is what they take', () => {
    const { defaultPort, record } = entryOf({});
    assert.equal(defaultPort, record.ports[0]?.port);
    assert.equal(record.defaultPort, undefined);
  });
});
