import assert from 'node:assert/strict';
import type { KindName } from '#src/api/kinds.ts';
import type { JsonMap } from '#src/store/json.ts';
import { ownedFieldsOf, ownsNoMore } from '#src/store/kubernetes/owned-fields.ts';

const MANAGER = 'clusterlink-mcs-test';

function entry(fieldsV1: unknown, parts: object = {}) {
  return { manager: MANAGER, operation: 'Apply', apiVersion: 'v1', fieldsType: 'FieldsV1', fieldsV1, ...parts };
}

function owns(fieldsV1: unknown, desired: JsonMap, kind: KindName = 'Service'): boolean {
  return ownsNoMore(ownedFieldsOf([entry(fieldsV1)]), { kind, manager: MANAGER, subresource: undefined, desired });
}

describe('ownsNoMore', () => {
  const port = { 'k:{"port":80,"protocol":"TCP"}': { '.': {}, 'f:port': {}, 'f:targetPort': {} } };
  const conditions = { 'k:{"type":"Ready"}': { '.': {}, 'f:type': {}, 'f:status': {} } };
  const rows: readonly (readonly [string, unknown, JsonMap, boolean])[] = [
    ['all of it', { 'f:spec': { 'f:type': {} } }, { spec: { type: 'x' } }, true],
    ['less than is desired', { 'f:spec': { 'f:type': {} } }, { spec: { type: 'x', more: 1 } }, true],
    ['a field that is left out', { 'f:spec': { 'f:type': {}, 'f:ips': {} } }, { spec: { type: 'x' } }, false],
    ['a map that is left out', { 'f:metadata': { 'f:labels': { 'f:a/b': {} } } }, { spec: {} }, false],
    [
      'a label with dots and a slash',
      { 'f:metadata': { 'f:labels': { 'f:a.b/c': {} } } },
      { metadata: { labels: { 'a.b/c': 'x' } } },
      true,
    ],
    [
      'a port by its keys',
      { 'f:spec': { 'f:ports': port } },
      { spec: { ports: [{ port: 80, protocol: 'TCP', targetPort: 1 }] } },
      true,
    ],
    [
      'a port whose protocol is left to the server',
      { 'f:spec': { 'f:ports': port } },
      { spec: { ports: [{ port: 80, targetPort: 1 }] } },
      true,
    ],
    [
      'a port of another protocol',
      { 'f:spec': { 'f:ports': port } },
      { spec: { ports: [{ port: 80, protocol: 'UDP', targetPort: 1 }] } },
      false,
    ],
    [
      'a member of a port that is left out',
      { 'f:spec': { 'f:ports': port } },
      { spec: { ports: [{ port: 80 }] } },
      false,
    ],
    ['a port that is left out', { 'f:spec': { 'f:ports': port } }, { spec: { ports: [] } }, false],
    [
      'a condition',
      { 'f:status': { 'f:conditions': conditions } },
      { status: { conditions: [{ type: 'Ready', status: 'True' }] } },
      true,
    ],
    [
      'another condition',
      { 'f:status': { 'f:conditions': conditions } },
      { status: { conditions: [{ type: 'Valid', status: 'True' }] } },
      false,
    ],
    [
      'conditions as a whole, of an old CRD: cannot be told',
      { 'f:status': { 'f:conditions': {} } },
      { status: { conditions: [] } },
      false,
    ],
    ['an atomic list', { 'f:spec': { 'f:ips': {} } }, { spec: { ips: ['x'] } }, true],
    [
      'a value of a set',
      { 'f:metadata': { 'f:finalizers': { 'v:"x"': {} } } },
      { metadata: { finalizers: ['x'] } },
      true,
    ],
    [
      'a value of a set that is left out',
      { 'f:metadata': { 'f:finalizers': { 'v:"x"': {} } } },
      { metadata: { finalizers: [] } },
      false,
    ],
    ['an item by its index: cannot be told', { 'f:a': { 'i:0': {} } }, { a: [1] }, false],
    ['a step that is none', { 'f:a': { 'k:{': {} } }, { a: [1] }, false],
    ['fields that are no map', 'x', { a: 1 }, false],
    ['a member that only the prototype has', { 'f:toString': {} }, { a: 1 }, false],
  ];
  for (const [what, fields, desired, expected] of rows) {
    it(`${what} → ${expected}`, () => assert.equal(owns(fields, desired), expected));
  }

  it('ports of a ServiceImport → atomic', () => {
    assert.equal(owns({ 'f:spec': { 'f:ports': {} } }, { spec: { ports: [] } }, 'ServiceImport'), true);
    assert.equal(owns({ 'f:spec': { 'f:ports': {} } }, { spec: { ports: [] } }, 'Service'), false);
  });

  it('a manager that owns nothing → true only when it desires nothing', () => {
    const ask = (desired: JsonMap): boolean =>
      ownsNoMore(new Map(), { kind: 'Service', manager: MANAGER, subresource: undefined, desired });
    assert.deepEqual([ask({}), ask({ spec: {} })], [true, false]);
  });

  it('entries of others, of updates and of another subresource → not ours', () => {
    const owned = ownedFieldsOf([
      entry({ 'f:a': {} }, { manager: 'kubectl' }),
      entry({ 'f:b': {} }, { operation: 'Update' }),
      entry({ 'f:status': { 'f:c': {} } }, { subresource: 'status' }),
    ]);
    assert.deepEqual([...owned.keys()], [`${MANAGER}/status`]);
    const desired = { status: { c: 1 } };
    assert.equal(ownsNoMore(owned, { kind: 'Service', manager: MANAGER, subresource: 'status', desired }), true);
    assert.equal(ownsNoMore(owned, { kind: 'Service', manager: MANAGER, subresource: undefined, desired }), false);
  });

  it('managedFields that make no sense → nothing is owned', () => {
    for (const bad of [undefined, null, 'x', {}, [null, 1, {}, { manager: 7, operation: 'Apply' }]]) {
      assert.equal(ownedFieldsOf(bad).size, 0);
    }
  });
});
