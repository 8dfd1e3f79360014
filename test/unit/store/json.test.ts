import assert from 'node:assert/strict';
import { ServiceExport } from '#src/api/generated/ServiceExport.ts';
import { deepFreeze, sameJson, toJson, toJsonMap, type Json } from '#src/store/json.ts';

describe('sameJson', () => {
  const rows: [Json | undefined, Json | undefined, boolean][] = [
    [{ a: 1, b: 2 }, { b: 2, a: 1 }, true],
    [[1, 2], [1, 2], true],
    [undefined, undefined, true],
    [{}, [], false],
    [[], {}, false],
    [{ a: 1 }, { a: 1, b: 1 }, false],
    [{ a: 1 }, { b: 1 }, false],
    [[1], [1, 2], false],
    [null, {}, false],
    [0, false, false],
    ['1', 1, false],
    [undefined, null, false],
    [{ toString: 1 }, {}, false],
  ];
  for (const [a, b, expected] of rows) {
    it(`${JSON.stringify(a)} and ${JSON.stringify(b)} → ${expected}`, () => assert.equal(sameJson(a, b), expected));
  }
});

describe('toJson', () => {
  it('a model → a plain object, without absent members', () => {
    const json = toJson(new ServiceExport({ metadata: { name: 'db' } }));
    assert.deepEqual(json, {
      apiVersion: 'multicluster.x-k8s.io/v1beta1',
      kind: 'ServiceExport',
      metadata: { name: 'db' },
    });
    assert.equal(Object.getPrototypeOf(json), Object.prototype);
    assert.deepEqual(toJson({ a: undefined, b: 1 }), { b: 1 });
  });
});

describe('toJsonMap', () => {
  for (const value of [undefined, null, 1, 'x', [1]]) {
    it(`${JSON.stringify(value)} → the empty map`, () => assert.deepEqual(toJsonMap(value), {}));
  }
});

describe('deepFreeze', () => {
  it('nested maps and lists → every one frozen, and the same value', () => {
    const value = { a: [{ b: { c: 1 } }] };
    assert.equal(deepFreeze(value), value);
    assert.ok([value, value.a, value.a[0], value.a[0]?.b].every((part) => Object.isFrozen(part)));
  });
});
