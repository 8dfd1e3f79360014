import assert from 'node:assert/strict';
import fc from 'fast-check';
import { apiVersionOf, KIND_NAMES, type KindName } from '#src/api/kinds.ts';
import { PROBLEMS_PER_OBJECT_MAX } from '#src/api/validation/limits.ts';
import { findRefusals, validateObject } from '#src/api/validation/validate.ts';

function policy(action: string, more: object = {}): object {
  const item = [{ workloadSelector: {} }];
  const metadata = { name: 'x', namespace: 'shop' };
  return {
    apiVersion: apiVersionOf('AccessPolicy'),
    kind: 'AccessPolicy',
    metadata,
    spec: { action, from: item, to: item },
    ...more,
  };
}

const strangeAnnotation = { metadata: { name: 'x', namespace: 'shop', annotations: { 'mcs.clusterlink.net/x': '' } } };

describe('validateObject', () => {
  const rows: [title: string, kind: KindName, object: unknown, expected: string[]][] = [
    [
      'an invalid deny is in force',
      'AccessPolicy',
      policy('deny', { spec: { action: 'deny', from: 'x' } }),
      ['admitted'],
    ],
    [
      'an invalid allow is admitted, and matches nothing',
      'AccessPolicy',
      policy('allow', { spec: { action: 'allow' } }),
      ['admitted'],
    ],
    ['a policy without spec says nothing', 'AccessPolicy', policy('deny', { spec: undefined }), ['refused']],
    ['a stranger beside spec', 'AccessPolicy', policy('deny', { sepc: {} }), ['refused']],
    ['an unknown annotation of ours on a deny', 'AccessPolicy', policy('deny', strangeAnnotation), ['admitted']],
    ['an unknown annotation of ours on an allow', 'AccessPolicy', policy('allow', strangeAnnotation), ['refused']],
    [
      'a selector on an unknown attribute',
      'AccessPolicy',
      policy('allow', {
        spec: {
          action: 'allow',
          from: [{ workloadSelector: { matchLabels: { app: 'a' } } }],
          to: [{ workloadSelector: {} }],
        },
      }),
      ['warned'],
    ],
  ];
  for (const [title, kind, object, expected] of rows) {
    it(`${title} → ${expected.join(', ')}`, () => {
      const problems = validateObject(kind, object);
      const found = problems.map(({ severity, admits }) =>
        severity === 'warning' ? 'warned' : admits ? 'admitted' : 'refused',
      );
      assert.deepEqual([...new Set(found)], expected);
      assert.equal(findRefusals(kind, object).length > 0, expected.includes('refused'));
    });
  }

  it('an import of ours with a port without a name beside others → taken: ports of several exports came together (CFL-18)', () => {
    const ports = [
      { name: '', port: 80 },
      { name: 'web', port: 81, protocol: 'TCP' },
    ];
    const metadata = { name: 'db', namespace: 'store' };
    const object = {
      apiVersion: apiVersionOf('ServiceImport'),
      kind: 'ServiceImport',
      metadata,
      spec: { type: 'ClusterSetIP', ports },
    };
    assert.deepEqual(findRefusals('ServiceImport', object), []);
    assert.deepEqual(
      validateObject('ServiceImport', object).map(({ severity, path }) => [severity, path.join('.')]),
      [['warning', 'spec.ports.0.name']],
    );
  });

  it('refusals → as stores name them', () => {
    const object = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'x', namespace: 'y' },
      spec: { ports: [{ port: 0 }] },
    };
    assert.deepEqual(findRefusals('Service', object), [
      {
        field: 'spec.ports[0].port',
        message: 'must be a number between 1 and 65535, is 0',
        fix: 'Put a number between 1 and 65535 here.',
      },
    ]);
  });

  it('one problem a field: the schema and a rule do not say the same twice', () => {
    for (const [kind, object] of [
      ['Service', { spec: { ports: [{ port: 0, protocol: 'x' }] } }],
      ['AccessPolicy', policy('deny', { spec: { action: 1, from: {}, to: [1] } })],
    ] as const) {
      const fields = validateObject(kind, object).map(({ path }) => path.join('/'));
      assert.deepEqual(fields, [...new Set(fields)]);
    }
  });

  it('more problems than the bound → cut, the refusals stay', () => {
    const from = Array.from({ length: 250 }, () => ({}));
    const problems = validateObject(
      'AccessPolicy',
      policy('deny', { spec: { action: 'deny', from, to: [] }, extra: 1 }),
    );
    assert.equal(problems.length, PROBLEMS_PER_OBJECT_MAX);
    assert.deepEqual(problems[0]?.path, ['extra']);
  });

  it('any value as any kind → never throws, and every problem has words and a remedy', () => {
    const noise = fc.oneof(fc.jsonValue(), fc.constantFrom(undefined, null, 0, '', [], {}));
    const list = fc.oneof(
      noise,
      fc.array(
        fc.oneof(
          noise,
          fc.record(
            {
              name: noise,
              port: noise,
              protocol: noise,
              host: noise,
              addresses: fc.array(noise),
              workloadSelector: noise,
            },
            { requiredKeys: [] },
          ),
        ),
      ),
    );
    const section = fc.oneof(
      noise,
      fc.record(
        {
          ports: list,
          gateways: list,
          from: list,
          to: list,
          action: noise,
          peers: noise,
          exports: noise,
          into: noise,
          selector: noise,
          clusterIP: noise,
          ips: list,
          exportedLabels: noise,
          metadata: noise,
        },
        { requiredKeys: [] },
      ),
    );
    const metadata = fc.oneof(
      noise,
      fc.record({
        name: noise,
        namespace: noise,
        labels: noise,
        annotations: fc.dictionary(
          fc.constantFrom(
            'mcs.clusterlink.net/endpoints',
            'mcs.clusterlink.net/export-to',
            'mcs.clusterlink.net/may-assert',
            'x',
          ),
          noise,
        ),
      }),
    );
    const object = fc.oneof(
      noise,
      fc.record(
        { apiVersion: noise, kind: noise, metadata, spec: section, endpoints: list, ports: list, addressType: noise },
        { requiredKeys: [] },
      ),
    );
    fc.assert(
      fc.property(fc.constantFrom(...KIND_NAMES), object, (kind, value) => {
        for (const { message, fix } of validateObject(kind, value)) {
          assert.ok(message !== '' && fix !== '');
          assert.doesNotMatch(message + fix, /[\p{Cc}\u2028\u2029]/u);
        }
      }),
      { numRuns: 300 },
    );
  });
});
