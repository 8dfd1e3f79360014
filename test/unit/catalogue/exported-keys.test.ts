import assert from 'node:assert/strict';
import { exportableAnnotations, exportableLabels, isReservedKey } from '#src/catalogue/exported-keys.ts';

describe('isReservedKey', () => {
  const RESERVED = [
    'multicluster.kubernetes.io/derived-service',
    'multicluster.x-k8s.io/x',
    'kubernetes.io/service-name',
    'endpointslice.kubernetes.io/managed-by',
    'k8s.io/x',
    'mcs.clusterlink.net/endpoints',
    'clusterlink.net/x',
    'app.kubernetes.io/managed-by',
  ];
  for (const key of RESERVED) it(`IMP-28: ${key} → reserved`, () => assert.equal(isReservedKey(key), true));
  for (const key of ['team', 'example.com/team', 'notkubernetes.io/x', 'app.kubernetes.io/name', 'kubernetes.io']) {
    it(`${key} → not reserved`, () => assert.equal(isReservedKey(key), false));
  }
});

describe('exportableLabels', () => {
  const KEYS: [key: string, isKept: boolean][] = [
    ['a', true],
    ['A_b.c-d', true],
    ['n'.repeat(63), true],
    ['n'.repeat(64), false],
    ['', false],
    ['-a', false],
    ['a/', false],
    ['/a', false],
    ['a/b/c', false],
    ['Upper.com/a', false],
    [`${'d'.repeat(253)}/a`, true],
    [`${'d'.repeat(254)}/a`, false],
    ['__proto__', false],
  ];
  for (const [key, isKept] of KEYS) {
    it(`key "${key.slice(0, 20)}" of ${key.length} → ${isKept ? 'kept' : 'dropped'}`, () => {
      const map = Object.fromEntries([[key, 'v']]);
      assert.deepEqual(Object.keys(exportableLabels(map)), isKept ? [key] : []);
      assert.deepEqual(Object.keys(exportableAnnotations(map)), isKept ? [key] : []);
    });
  }

  const VALUES: [value: string, isLabelValue: boolean][] = [
    ['', true],
    ['a.B_c-1', true],
    ['v'.repeat(63), true],
    ['v'.repeat(64), false],
    ['two words', false],
    ['-', false],
  ];
  for (const [value, isLabelValue] of VALUES) {
    it(`value "${value.slice(0, 20)}" → ${isLabelValue ? 'a label and an annotation' : 'an annotation only'}`, () => {
      assert.deepEqual(exportableLabels({ a: value }), isLabelValue ? { a: value } : {});
      assert.deepEqual(exportableAnnotations({ a: value }), { a: value });
    });
  }

  it('keys in any order → sorted', () => {
    assert.deepEqual(Object.keys(exportableLabels({ b: '', a: '' })), ['a', 'b']);
  });
});
