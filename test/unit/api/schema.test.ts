import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { AccessPolicy } from '#src/api/generated/AccessPolicy.ts';
import { Peer } from '#src/api/generated/Peer.ts';
import { Service } from '#src/api/generated/Service.ts';
import { ServiceExport } from '#src/api/generated/ServiceExport.ts';
import { apiVersionOf, KIND_NAMES, KINDS, type KindName } from '#src/api/kinds.ts';
import { schemaErrors } from '#src/api/schema.ts';

interface Definition {
  spec: {
    group: string;
    scope: string;
    names: { kind: KindName; plural: string };
    versions: { name: string; served: boolean; storage: boolean; schema: { openAPIV3Schema: unknown } }[];
  };
}

const folders = [new URL('../../../crds/', import.meta.url), new URL('../../../src/api/builtin/', import.meta.url)];
const definitions = folders.flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => parse(readFileSync(new URL(name, folder), 'utf8')) as Definition),
);

/** The smallest spec that a kind's schema takes. */
const bodies: Partial<Record<KindName, object>> = {
  ClusterProperty: { spec: { value: 'east' } },
  EndpointSlice: { addressType: 'IPv4', endpoints: [] },
  ServiceImport: { spec: { type: 'ClusterSetIP', ports: [] } },
  Peer: { spec: { gateways: [] } },
  Import: { spec: { port: 80, sources: [] } },
  AccessPolicy: { spec: { action: 'allow', from: [], to: [] } },
  PrivilegedAccessPolicy: { spec: { action: 'allow', from: [], to: [] } },
  BaselineAccessPolicy: { spec: { action: 'allow', from: [], to: [] } },
  ImportRule: { spec: { peers: {}, exports: {} } },
  ClusterImportRule: { spec: { peers: {}, exports: {}, into: {} } },
  PeerRecords: { spec: { peer: 'east', epoch: 'e', digest: '', records: [] } },
  ImportBinding: {
    spec: {
      import: { namespace: 'a', name: 'b' },
      owner: { kind: 'ImportRule', name: 'c' },
      type: 'Headless',
      ips: [],
      ports: [],
      sources: [],
    },
  },
};

function sample(kind: KindName, more: object = {}): Record<string, unknown> {
  return { apiVersion: apiVersionOf(kind), kind, metadata: { name: 'db' }, ...bodies[kind], ...more };
}

describe('schemaErrors', () => {
  it('the definitions → exactly the kinds of KINDS, with their group, plural, scope and versions', () => {
    assert.deepEqual(definitions.map(({ spec }) => spec.names.kind).sort(), [...KIND_NAMES].sort());
    for (const { spec } of definitions) {
      const { group, version, served, plural, namespaced } = KINDS[spec.names.kind];
      assert.equal(spec.group, group);
      assert.equal(spec.names.plural, plural);
      assert.equal(spec.scope, namespaced ? 'Namespaced' : 'Cluster');
      assert.deepEqual(
        spec.versions.filter((each) => each.served).map(({ name }) => name),
        served,
      );
      assert.deepEqual(
        spec.versions.filter((each) => each.storage).map(({ name }) => name),
        [version],
      );
    }
  });

  it('several served versions → one schema, so that rewriting apiVersion converts (CRD-01)', () => {
    const several = definitions.filter(({ spec }) => spec.versions.length > 1);
    assert.equal(several.length, 3);
    for (const { spec } of several) {
      for (const { schema } of spec.versions) assert.deepEqual(schema, spec.versions[0]?.schema);
    }
  });

  for (const kind of KIND_NAMES) {
    it(`${kind} → its schema compiles, takes a small object and refuses an unknown field`, () => {
      assert.deepEqual(schemaErrors(kind, sample(kind)), []);
      const [error, ...more] = schemaErrors(kind, sample(kind, { specs: {} }));
      assert.deepEqual(error?.path, ['specs']);
      assert.match(error?.message ?? '', /unknown field "specs"/);
      assert.deepEqual(more, []);
    });
  }

  const ports = (...list: unknown[]): object => ({ spec: { ports: list } });
  const rows: [title: string, kind: KindName, more: object, path: string, message: string, fix: RegExp][] = [
    [
      'too large',
      'Service',
      ports({ port: 70000 }),
      'spec.ports.0.port',
      'must be a number between 1 and 65535, is 70000',
      /65535/,
    ],
    ['zero', 'Service', ports({ port: 0 }), 'spec.ports.0.port', 'must be a number between 1 and 65535, is 0', /65535/],
    [
      'a fraction',
      'Service',
      ports({ port: 1.5 }),
      'spec.ports.0.port',
      'must be a number between 1 and 65535, is 1.5',
      /65535/,
    ],
    [
      'a number in quotes',
      'Service',
      ports({ port: '80' }),
      'spec.ports.0.port',
      'must be a number between 1 and 65535, is the text "80"',
      /without quotes/,
    ],
    ['missing', 'Service', ports({}), 'spec.ports.0.port', 'is missing', /Add "port": a number between/],
    [
      'no value',
      'Service',
      ports({ port: null }),
      'spec.ports.0.port',
      'has no value, must be a number between 1 and 65535',
      /delete the line/,
    ],
    [
      'misspelt',
      'Service',
      { spec: { prots: [] } },
      'spec.prots',
      'unknown field "prots", did you mean "ports"?',
      /Rename it to "ports"/,
    ],
    [
      'nothing like it',
      'Service',
      { spec: { zzzzzz: 1 } },
      'spec.zzzzzz',
      'unknown field "zzzzzz"',
      /Delete it \(known here: "type"/,
    ],
    ['no list', 'Service', { spec: { ports: {} } }, 'spec.ports', 'must be a list, is a map', /"- "/],
    ['no map', 'Service', { spec: [] }, 'spec', 'must be a map, is an empty list', /key: value/],
    [
      'another word',
      'Service',
      ports({ port: 1, protocol: 'tcp' }),
      'spec.ports.0.protocol',
      'must be one of "TCP", "UDP", "SCTP", is "tcp", did you mean "TCP"?',
      /Use "TCP"/,
    ],
    [
      'a number as a label',
      'Service',
      { metadata: { name: 'x', labels: { a: 1 } } },
      'metadata.labels.a',
      'must be text, is 1',
      /"1"/,
    ],
    [
      'a truth as a label',
      'Service',
      { metadata: { name: 'x', labels: { a: true } } },
      'metadata.labels.a',
      'must be text, is true',
      /"true"/,
    ],
    [
      'no truth',
      'Service',
      { spec: { publishNotReadyAddresses: 'yes' } },
      'spec.publishNotReadyAddresses',
      'must be true or false, is the text "yes"',
      /true or false/,
    ],
    [
      'neither number nor text',
      'Service',
      ports({ port: 1, targetPort: true }),
      'spec.ports.0.targetPort',
      'must be a whole number or text, is true',
      /quotes/,
    ],
    [
      'too few',
      'EndpointSlice',
      { endpoints: [{ addresses: [] }] },
      'endpoints.0.addresses',
      'must have at least 1 item, has 0',
      /Add/,
    ],
    [
      'too many',
      'Peer',
      { spec: { gateways: Array.from({ length: 17 }, () => ({ host: 'a', port: 1 })) } },
      'spec.gateways',
      'must have at most 16 items, has 17',
      /split/,
    ],
    [
      'no time',
      'Service',
      { metadata: { name: 'x', creationTimestamp: 'today' } },
      'metadata.creationTimestamp',
      'must be a time such as 2026-11-20T10:00:00Z, is "today"',
      /a time/,
    ],
    [
      'too large for its type',
      'ImportRule',
      { spec: { peers: {}, exports: {}, priority: 2 ** 31 } },
      'spec.priority',
      'must be a number between -2147483648 and 2147483647, is 2147483648',
      /a number/,
    ],
    ['another version', 'Service', { apiVersion: 'v2' }, 'apiVersion', 'must be "v1", is "v2"', /Use "v1"/],
    ['no metadata', 'Service', { metadata: undefined }, 'metadata', 'is missing', /Add "metadata": a map/],
    ['no name', 'Service', { metadata: { generateName: 'x-' } }, 'metadata.name', 'is missing', /Add "name"/],
    [
      'a stranger in metadata',
      'Service',
      { metadata: { name: 'x', label: {} } },
      'metadata.label',
      'unknown field "label", did you mean "labels"?',
      /labels/,
    ],
  ];
  for (const [title, kind, more, path, message, fix] of rows) {
    it(`${title} (${path}) → ${message}`, () => {
      const errors = schemaErrors(kind, sample(kind, more));
      assert.deepEqual(
        errors.map((error) => [error.path.join('.'), error.message]),
        [[path, message]],
      );
      assert.match(errors[0]?.fix ?? '', fix);
    });
  }

  it('what may be open stays open: status of a Service, targetRef, numbers and names as targetPort', () => {
    const ports = [
      { name: 'a', port: 1, targetPort: 'http' },
      { name: 'b', port: 65535, targetPort: 8080 },
    ];
    assert.deepEqual(schemaErrors('Service', sample('Service', { spec: { ports }, status: { any: [1] } })), []);
    const endpoints = [{ addresses: ['10.0.0.1'], targetRef: { kind: 'Pod', name: 'x' } }];
    assert.deepEqual(schemaErrors('EndpointSlice', sample('EndpointSlice', { endpoints })), []);
  });

  it('a pattern → the sentence shows the value and the form', () => {
    const condition = {
      type: 'Valid',
      status: 'True',
      reason: 'not good',
      message: '',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    };
    const [error] = schemaErrors('ServiceExport', sample('ServiceExport', { status: { conditions: [condition] } }));
    assert.deepEqual(error?.path, ['status', 'conditions', '0', 'reason']);
    assert.match(error?.message ?? '', /form that is needed, is "not good"/);
    assert.match(error?.fix ?? '', /\^\[A-Za-z\]/);
  });

  it('not an object at all → one sentence', () => {
    for (const value of [undefined, null, 7, 'x', []]) {
      assert.deepEqual(
        schemaErrors('Peer', value).map(({ path }) => path),
        [[]],
      );
    }
  });

  it('an own member called __proto__ → unknown, like any other', () => {
    const object = JSON.parse(
      '{"apiVersion":"v1","kind":"Service","metadata":{"name":"x"},"spec":{"__proto__":{}}}',
    ) as unknown;
    assert.deepEqual(
      schemaErrors('Service', object).map(({ path }) => path),
      [['spec', '__proto__']],
    );
  });

  it('thousands of errors → a hundred', () => {
    const ports = Array.from({ length: 5000 }, () => ({ port: 0 }));
    assert.equal(schemaErrors('Service', sample('Service', { spec: { ports } })).length, 100);
  });
});

describe('validateModel', () => {
  it('models that are right → validate() returns', () => {
    new ServiceExport({ metadata: { name: 'db', namespace: 'shop' } }).validate();
    new Service({ metadata: { name: 'db' }, spec: { ports: [{ port: 5432 }] } }).validate();
    new Peer({ metadata: { name: 'east' }, spec: { gateways: [{ host: 'a', port: 1 }] } }).validate();
    new AccessPolicy({
      metadata: { name: 'x' },
      spec: { action: 'allow', from: [{ workloadSelector: {} }], to: [] },
    }).validate();
  });

  it('a model that is wrong → ERR_INVALID_OBJECT names field, cause and remedy', () => {
    const model = new Service({ metadata: { name: 'db' }, spec: { ports: [{ port: 70000 }] } });
    assert.throws(() => model.validate(), {
      code: 'ERR_INVALID_OBJECT',
      message: 'spec.ports[0].port: must be a number between 1 and 65535, is 70000',
      fix: 'Put a number between 1 and 65535 here.',
    });
  });
});
