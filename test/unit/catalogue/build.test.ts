import assert from 'node:assert/strict';
import { EXPORT_TO_PEERS_MAX } from '#src/api/validation/limits.ts';
import { buildCatalogue } from '#src/catalogue/build.ts';
import { readCatalogue } from '#src/catalogue/read.ts';
import { EXPORT_PORTS_MAX, EXPORTED_KEYS_MAX, EXPORTED_VALUE_CHARS_MAX } from '#src/catalogue/limits.ts';
import type { CatalogueInput, ExportVerdict } from '#src/catalogue/types.ts';
import { build, entryOf, refusalOf, service, serviceExport } from './fixtures.ts';

const numbered = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ name: `p${index}`, port: index + 1 }));
const keys = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, '']));
const exportTo = (text: string) => [
  serviceExport('shop/db', { annotations: { 'mcs.clusterlink.net/export-to': text } }),
];
const withSpec = (spec: NonNullable<CatalogueInput['services'][number]['spec']>) => [service('shop/db', spec)];

describe('buildCatalogue', () => {
  it('EXP-01: a Service without an export → nothing', () => {
    assert.deepEqual(build({ serviceExports: [] }), { entries: [], verdicts: [] });
  });

  it('EXP-03: an export and its Service → one entry, valid', () => {
    const { entries, verdicts } = build({});
    assert.deepEqual(
      entries.map(({ namespace, name, uid }) => [namespace, name, uid]),
      [['shop', 'db', 'u-1']],
    );
    assert.deepEqual(verdicts, [
      { kind: 'ServiceExport', namespace: 'shop', name: 'db', valid: true, reason: 'Valid', message: '' },
    ]);
  });

  it('EXP-21: an export that is being deleted → withdrawn, no verdict', () => {
    const serviceExports = [serviceExport('shop/db', { deletionTimestamp: '2026-01-02T00:00:00Z' })];
    assert.deepEqual(build({ serviceExports }), { entries: [], verdicts: [] });
  });

  it('EXP-21: an export in a namespace that is being deleted → withdrawn; the others stay', () => {
    const serviceExports = [serviceExport('shop/db'), serviceExport('bank/db')];
    const services = [service('shop/db'), service('bank/db')];
    const terminating = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } } as const;
    const sources = {
      ServiceExport: { list: () => serviceExports },
      Export: { list: () => [] },
      Service: { list: () => services },
      EndpointSlice: { list: () => [] },
    };
    for (const namespace of [
      { ...terminating, status: { phase: 'Terminating' } },
      { ...terminating, metadata: { name: 'shop', deletionTimestamp: '2026-01-02T00:00:00Z' } },
    ]) {
      const { entries } = readCatalogue({ ...sources, Namespace: { list: () => [namespace] } }, []);
      assert.deepEqual(
        entries.map((entry) => entry.namespace),
        ['bank'],
      );
    }
    assert.equal(readCatalogue(sources, []).entries.length, 2);
  });

  it('a Service that stands for an import → not exported: it would come back as its own source', () => {
    const made = service('shop/db');
    made.metadata = { ...made.metadata, labels: { 'app.kubernetes.io/managed-by': 'clusterlink-mcs' } };
    assert.equal(build({ services: [made] }).verdicts[0]?.reason, 'InvalidService');
  });

  it('the objects in any order → entries and verdicts by (namespace, name)', () => {
    const names = ['b/x', 'a/z', 'a/y', 'a-b/x', 'c/x'];
    const input = {
      serviceExports: names.map((key) => serviceExport(key)),
      services: names.slice(0, 4).map((key) => service(key)),
      endpointSlices: [],
      allowedNamespaces: [],
    };
    const { entries, verdicts } = buildCatalogue(input);
    assert.deepEqual(
      entries.map(({ namespace, name }) => `${namespace}/${name}`),
      ['a/y', 'a/z', 'a-b/x', 'b/x'],
    );
    assert.deepEqual(
      verdicts.map(({ reason }) => reason),
      ['Valid', 'Valid', 'Valid', 'Valid', 'NoService'],
    );
    const reversed = {
      ...input,
      serviceExports: input.serviceExports.toReversed(),
      services: input.services.toReversed(),
    };
    assert.deepEqual(buildCatalogue(reversed), buildCatalogue(input));
  });

  it('a catalogue → survives structured clone', () => {
    const catalogue = build({});
    assert.deepEqual(structuredClone(catalogue), catalogue);
  });

  const REFUSED: [title: string, input: Partial<CatalogueInput>, reason: ExportVerdict['reason'], message: RegExp][] = [
    ['EXP-09 no Service', { services: [] }, 'NoService', /no Service shop\/db/],
    ['EXP-03 a Service of another namespace', { services: [service('other/db')] }, 'NoService', /shop\/db/],
    [
      'EXP-08 ExternalName',
      { services: withSpec({ type: 'ExternalName', externalName: 'example.com' }) },
      'InvalidServiceType',
      /ExternalName/,
    ],
    [
      'NSS-03 a restricted namespace',
      { serviceExports: [serviceExport('kube-system/db')], services: [service('kube-system/db')] },
      'RestrictedNamespace',
      /kube-system/,
    ],
    [
      'an annotation of ours that is not known',
      { serviceExports: [serviceExport('shop/db', { annotations: { 'mcs.clusterlink.net/exprot-to': 'west' } })] },
      'InvalidExport',
      /exprot-to/,
    ],
    [
      'an annotation of the Service on the export',
      { serviceExports: [serviceExport('shop/db', { annotations: { 'mcs.clusterlink.net/endpoints': '::1:1' } })] },
      'InvalidExport',
      /endpoints/,
    ],
    ['export-to nobody', { serviceExports: exportTo('') }, 'InvalidExport', /export-to/],
    ['export-to with a gap', { serviceExports: exportTo('west,,north') }, 'InvalidExport', /export-to/],
    ['export-to everybody', { serviceExports: exportTo('*') }, 'InvalidExport', /export-to/],
    [
      'export-to more peers than it may name',
      { serviceExports: exportTo(Object.keys(keys(EXPORT_TO_PEERS_MAX + 1)).join()) },
      'InvalidExport',
      /at most 256/,
    ],
    ['no uid', { serviceExports: [serviceExport('shop/db', { uid: '' })] }, 'InvalidExport', /uid/],
    [
      'no date',
      { serviceExports: [serviceExport('shop/db', { creationTimestamp: '' })] },
      'InvalidExport',
      /creationTimestamp/,
    ],
    ['a name with a dot', { serviceExports: [serviceExport('shop/d.b')] }, 'InvalidExport', /RFC 1123/],
    [
      'too many labels',
      { serviceExports: [serviceExport('shop/db', {}, { exportedLabels: keys(EXPORTED_KEYS_MAX + 1) })] },
      'InvalidExport',
      /exportedLabels/,
    ],
    [
      'a value that is too long',
      {
        serviceExports: [
          serviceExport('shop/db', {}, { exportedAnnotations: { a: 'x'.repeat(EXPORTED_VALUE_CHARS_MAX + 1) } }),
        ],
      },
      'InvalidExport',
      /exportedAnnotations/,
    ],
    [
      'a value with control characters',
      { serviceExports: [serviceExport('shop/db', {}, { exportedAnnotations: { a: 'two\nlines' } })] },
      'InvalidExport',
      /control characters/,
    ],
    [
      'a record that is too long',
      {
        serviceExports: [
          serviceExport(
            'shop/db',
            {},
            {
              exportedAnnotations: Object.fromEntries(
                ['a', 'b', 'c', 'd'].map((key) => [key, 'x'.repeat(EXPORTED_VALUE_CHARS_MAX)]),
              ),
            },
          ),
        ],
      },
      'InvalidExport',
      /longer than 16384 bytes/,
    ],
    ['no ports', { services: withSpec({ ports: [] }) }, 'InvalidService', /no ports/],
    [
      'too many ports',
      { services: withSpec({ ports: numbered(EXPORT_PORTS_MAX + 1) }) },
      'InvalidService',
      /more than/,
    ],
    [
      'two ports, one unnamed',
      { services: withSpec({ ports: [{ port: 1 }, { name: 'a', port: 2 }] }) },
      'InvalidService',
      /name each/,
    ],
    [
      'two ports of one name',
      {
        services: withSpec({
          ports: [
            { name: 'a', port: 1 },
            { name: 'a', port: 2 },
          ],
        }),
      },
      'InvalidService',
      /one name/,
    ],
    [
      'two ports of one number',
      {
        services: withSpec({
          ports: [
            { name: 'a', port: 1 },
            { name: 'b', protocol: 'TCP', port: 1 },
          ],
        }),
      },
      'InvalidService',
      /one protocol/,
    ],
    ['port 0', { services: withSpec({ ports: [{ port: 0 }] }) }, 'InvalidService', /1 to 65535/],
    ['port 70000', { services: withSpec({ ports: [{ port: 70_000 }] }) }, 'InvalidService', /1 to 65535/],
    [
      'a port name that is no label',
      { services: withSpec({ ports: [{ name: 'A_b', port: 1 }] }) },
      'InvalidService',
      /port name/,
    ],
    [
      'an affinity of no time',
      {
        services: withSpec({ sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 0 } } }),
      },
      'InvalidService',
      /affinity/,
    ],
    [
      'an appProtocol with control characters',
      { services: withSpec({ ports: [{ port: 1, appProtocol: '\u0007' }] }) },
      'InvalidService',
      /appProtocol/,
    ],
    [
      'a trafficDistribution of 64 characters',
      { services: withSpec({ trafficDistribution: 'x'.repeat(64) }) },
      'InvalidService',
      /trafficDistribution/,
    ],
    [
      'an annotation of the export on the Service',
      { services: [service('shop/db', {}, { 'mcs.clusterlink.net/export-to': 'west' })] },
      'InvalidService',
      /export-to/,
    ],
    [
      'endpoints that cannot be read',
      { services: [service('shop/db', {}, { 'mcs.clusterlink.net/endpoints': 'nonsense' })] },
      'InvalidService',
      /endpoints/i,
    ],
  ];
  for (const [title, input, reason, message] of REFUSED) {
    it(`${title} → ${reason}`, () => {
      const verdict = refusalOf(input);
      assert.deepEqual([verdict.valid, verdict.reason], [false, reason]);
      assert.match(verdict.message, message);
    });
  }

  it('NSS-03: a restricted namespace that the administrator lists → offered', () => {
    const { verdicts } = build({
      serviceExports: [serviceExport('kube-system/db'), serviceExport('default/db')],
      services: [service('kube-system/db'), service('default/db')],
      allowedNamespaces: ['default'],
    });
    assert.deepEqual(
      verdicts.map(({ reason }) => reason),
      ['Valid', 'RestrictedNamespace'],
    );
  });

  it('one export that cannot be offered → the others are', () => {
    const { entries } = build({ serviceExports: [serviceExport('shop/gone'), serviceExport()] });
    assert.deepEqual(
      entries.map(({ name }) => name),
      ['db'],
    );
  });

  it('export-to → the peers, sorted, once each', () => {
    assert.deepEqual(entryOf({ serviceExports: exportTo('west, north,west') }).exportTo, ['north', 'west']);
    assert.equal(entryOf({}).exportTo, undefined);
  });

  it('as many of everything as there may be → offered', () => {
    const serviceExports = [
      serviceExport(
        'shop/db',
        { annotations: { 'mcs.clusterlink.net/export-to': Object.keys(keys(EXPORT_TO_PEERS_MAX)).join() } },
        { exportedLabels: keys(EXPORTED_KEYS_MAX), exportedAnnotations: { a: 'x'.repeat(EXPORTED_VALUE_CHARS_MAX) } },
      ),
    ];
    const entry = entryOf({ serviceExports, services: withSpec({ ports: numbered(EXPORT_PORTS_MAX) }) });
    assert.equal(entry.ports.length, EXPORT_PORTS_MAX);
    assert.equal(entry.exportTo?.length, EXPORT_TO_PEERS_MAX);
  });

  it('labels for policies → those of the export object, not those that it exports', () => {
    const serviceExports = [
      serviceExport('shop/db', { labels: { tier: 'gold' } }, { exportedLabels: { shown: 'yes' } }),
    ];
    const { labels, record } = entryOf({ serviceExports });
    assert.deepEqual([labels, record.labels], [{ tier: 'gold' }, { shown: 'yes' }]);
  });
});
