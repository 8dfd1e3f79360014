import assert from 'node:assert/strict';
import { ourAnnotationProblems } from '#src/api/validation/our-annotations.ts';
import { validateObject } from '#src/api/validation/validate.ts';

const exported = (spec: unknown, metadata: object = {}) => ({
  apiVersion: 'clusterlink.net/v1alpha1',
  kind: 'Export',
  metadata: { name: 'cart-api', namespace: 'prod', ...metadata },
  ...(spec === undefined ? {} : { spec }),
});
const problems = (object: unknown): string[] =>
  validateObject('Export', object).map(({ path, admits }) => `${path.join('.')}${admits ? ' admitted' : ''}`);

describe('validateObject, Export', () => {
  for (const spec of [
    { port: 8080 },
    { port: 1, host: '' },
    { port: 65_535, host: 'db.internal.example' },
    { port: 80, host: '192.0.2.1' },
    { port: 80, host: '2001:db8::1' },
  ]) {
    it(`${JSON.stringify(spec)} → fine (clusterlink.md appendix A)`, () =>
      assert.deepEqual(problems(exported(spec, { labels: { tier: 'gold' } })), []));
  }

  const REFUSED: readonly [spec: unknown, field: string][] = [
    [undefined, 'spec.port'],
    [{}, 'spec.port'],
    [{ port: 0 }, 'spec.port'],
    [{ port: -1 }, 'spec.port'],
    [{ port: 65_536 }, 'spec.port'],
    [{ port: '80' }, 'spec.port'],
    [{ port: 80.5 }, 'spec.port'],
    [{ port: 80, host: 7 }, 'spec.host'],
    [{ port: 80, host: 'http://db/' }, 'spec.host'],
    [{ port: 80, host: 'db:80' }, 'spec.host'],
    [{ port: 80, host: '127.1' }, 'spec.host'],
    [{ port: 80, host: 'fe80::1%eth0' }, 'spec.host'],
    [{ port: 80, hots: 'db' }, 'spec.hots'],
  ];
  for (const [spec, field] of REFUSED) {
    it(`${JSON.stringify(spec)} → refused at ${field}, with a remedy`, () => {
      assert.deepEqual(problems(exported(spec)), [field]);
      for (const { message, fix } of validateObject('Export', exported(spec))) assert.ok(message !== '' && fix !== '');
    });
  }

  it('a name that is no label → refused: it becomes part of a DNS name', () =>
    assert.deepEqual(problems(exported({ port: 80 }, { name: 'cart.api' })), ['metadata.name']));
});

describe('ourAnnotationProblems, ports of exports', () => {
  const on = (kind: 'ServiceExport' | 'Export', key: string, value: string) =>
    ourAnnotationProblems(kind, { metadata: { annotations: { [`mcs.clusterlink.net/${key}`]: value } } });

  for (const value of ['pg', '5432', '1', '65535', 'a1']) {
    it(`port: ${value} → fine`, () => assert.deepEqual(on('ServiceExport', 'port', value), []));
  }
  for (const value of ['', '0', '65536', '99999999999', '-1', '80,443', 'PG', ' 80', 'a'.repeat(64)]) {
    it(`port: ${JSON.stringify(value)} → refused`, () =>
      assert.match(on('ServiceExport', 'port', value)[0]?.message ?? '', /must be the name or the number of a port/));
  }
  it('first-port, whatever it says → fine: it is a note, and one that cannot be read counts as none', () =>
    assert.deepEqual(on('ServiceExport', 'first-port', 'x'), []));
  it('on an Export → neither; export-to → yes', () => {
    for (const key of ['port', 'first-port']) assert.match(on('Export', key, '80')[0]?.message ?? '', /means nothing/);
    assert.deepEqual(on('Export', 'export-to', 'west'), []);
  });
});
