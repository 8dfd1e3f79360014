import assert from 'node:assert/strict';
import type { KindName } from '#src/api/kinds.ts';
import type { Json } from '#src/store/json.ts';
import { hasValues } from '#src/store/kubernetes/same-values.ts';

describe('hasValues', () => {
  const ready = { type: 'Ready', status: 'True', reason: 'x' };
  const valid = { type: 'Valid', status: 'True', reason: 'x' };
  const rows: readonly (readonly [string, KindName, Json, Json, boolean])[] = [
    [
      'members of others',
      'Service',
      { metadata: { labels: { a: '1', b: '2' } } },
      { metadata: { labels: { a: '1' } } },
      true,
    ],
    ['another value', 'Service', { a: 1 }, { a: 2 }, false],
    ['a member that is not there', 'Service', {}, { a: {} }, false],
    ['a member that only the prototype has', 'Service', {}, { toString: {} }, false],
    ['null, which the server drops', 'Service', {}, { a: null }, false],
    [
      'conditions in another order, with those of others',
      'ServiceExport',
      { status: { conditions: [valid, ready] } },
      { status: { conditions: [ready] } },
      true,
    ],
    [
      'a condition with another status',
      'ServiceExport',
      { status: { conditions: [ready] } },
      { status: { conditions: [{ ...ready, status: 'False' }] } },
      false,
    ],
    [
      'a condition that is not there',
      'ServiceExport',
      { status: { conditions: [ready] } },
      { status: { conditions: [valid] } },
      false,
    ],
    [
      'clusters',
      'ServiceImport',
      { status: { clusters: [{ cluster: 'a' }, { cluster: 'b' }] } },
      { status: { clusters: [{ cluster: 'b' }] } },
      true,
    ],
    [
      'gateways',
      'ImportBinding',
      { status: { gateways: [{ name: 'a', x: 1 }] } },
      { status: { gateways: [{ name: 'a', x: 2 }] } },
      false,
    ],
    [
      'ports of a Service with what the server adds',
      'Service',
      { spec: { ports: [{ port: 80, protocol: 'TCP', targetPort: 80, nodePort: 3 }] } },
      { spec: { ports: [{ port: 80 }] } },
      true,
    ],
    [
      'a port of a Service by another protocol',
      'Service',
      { spec: { ports: [{ port: 80, protocol: 'TCP' }] } },
      { spec: { ports: [{ port: 80, protocol: 'UDP' }] } },
      false,
    ],
    [
      'ports of a ServiceImport with one more',
      'ServiceImport',
      { spec: { ports: [{ port: 1 }, { port: 2 }] } },
      { spec: { ports: [{ port: 1 }] } },
      false,
    ],
    [
      'ports of a ServiceImport in another order',
      'ServiceImport',
      { spec: { ports: [{ port: 1 }, { port: 2 }] } },
      { spec: { ports: [{ port: 2 }, { port: 1 }] } },
      false,
    ],
    [
      'a member of an item of an atomic list that is left out',
      'ServiceImport',
      { spec: { ports: [{ port: 1, name: 'a' }] } },
      { spec: { ports: [{ port: 1 }] } },
      false,
    ],
    [
      'a slice with the defaults of the server',
      'EndpointSlice',
      { ports: [{ name: '', protocol: 'TCP', port: 80 }], endpoints: [{ addresses: ['x'], conditions: {} }] },
      { ports: [{ port: 80 }], endpoints: [{ addresses: ['x'] }] },
      true,
    ],
    [
      'a slice whose endpoint had a host name',
      'EndpointSlice',
      { endpoints: [{ addresses: ['x'], conditions: {}, hostname: 'db-0' }] },
      { endpoints: [{ addresses: ['x'] }] },
      false,
    ],
    [
      'a slice whose endpoint was ready',
      'EndpointSlice',
      { endpoints: [{ addresses: ['x'], conditions: { ready: true } }] },
      { endpoints: [{ addresses: ['x'] }] },
      false,
    ],
    ['a list that is none', 'Service', { a: {} }, { a: [] }, false],
  ];
  for (const [what, kind, present, desired, expected] of rows) {
    it(`${what} → ${expected}`, () => assert.equal(hasValues(kind, present, desired), expected));
  }
});
