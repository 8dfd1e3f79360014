import assert from 'node:assert/strict';
import { isUnknownHere, parseFieldPath, withoutFields } from '#src/store/kubernetes/undeclared.ts';

describe('parseFieldPath', () => {
  const rows: readonly (readonly [string, readonly string[] | undefined])[] = [
    ['.spec.x', ['spec', 'x']],
    ['.spec.ports[0].x', ['spec', 'ports', '[]', 'x']],
    ['.spec.ports[port=80,protocol="TCP"].x', ['spec', 'ports', '[]', 'x']],
    ['.status.clusters[cluster="a].b\\"c"].x', ['status', 'clusters', '[]', 'x']],
    ['', undefined],
    ['spec', undefined],
    ['.spec[', undefined],
  ];
  for (const [path, steps] of rows) {
    it(`${JSON.stringify(path)} → ${JSON.stringify(steps)}`, () => assert.deepEqual(parseFieldPath(path), steps));
  }
});

describe('withoutFields', () => {
  it('a field, and one of every item of a list → gone; the rest is as it was', () => {
    const object = { spec: { x: 1, y: 2, ports: [{ port: 1, x: 1 }, { port: 2 }] }, ports: [] };
    assert.deepEqual(withoutFields(object, ['.spec.x', '.spec.ports[port=1].x', '.none.of.it', '.spec.y.z']), {
      spec: { y: 2, ports: [{ port: 1 }, { port: 2 }] },
      ports: [],
    });
    assert.equal(withoutFields(object, []), object);
  });
});

describe('isUnknownHere', () => {
  const object = {
    apiVersion: 'multicluster.x-k8s.io/v1beta1',
    kind: 'ServiceImport',
    metadata: { name: 'x' },
    spec: { sessionAffinity: 'None', unknown: { deep: 1 }, ports: [{ port: 1, appProtocol: 'http', bad: 1 }] },
  };
  const rows = [
    ['.spec.sessionAffinity', false],
    ['.spec.ports[0].appProtocol', false],
    ['.spec.unknown', true],
    ['.spec.unknown.deep', true],
    ['.spec.ports[0].bad', true],
    ['no path', true],
  ] as const;
  for (const [path, expected] of rows) {
    it(`${path} → ${expected}`, () => assert.equal(isUnknownHere('ServiceImport', object, path), expected));
  }
});
