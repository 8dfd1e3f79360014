import assert from 'node:assert/strict';
import type { IClusterImportRule } from '#src/api/generated/ClusterImportRule.ts';
import { findWanted } from '#src/merge/naming.ts';

type Spec = IClusterImportRule['spec'];

function rule(exports: Spec['exports'], into: Spec['into']): IClusterImportRule {
  return {
    apiVersion: 'mcs.clusterlink.net/v1alpha1',
    kind: 'ClusterImportRule',
    metadata: { name: 'one' },
    spec: { peers: { names: ['east'] }, exports, into },
  };
}

describe('findWanted', () => {
  const cases: { title: string; exports: Spec['exports']; into: Spec['into']; wanted: unknown }[] = [
    {
      title: 'all, by its own name',
      exports: { all: true },
      into: { namespace: 'store' },
      wanted: { names: ['web'], isExplicit: false },
    },
    {
      title: 'a list with it',
      exports: { names: ['db', 'web'] },
      into: { namespace: 'store' },
      wanted: { names: ['web'], isExplicit: true },
    },
    { title: 'a list without it', exports: { names: ['db'] }, into: { namespace: 'store' }, wanted: undefined },
    { title: 'another space', exports: { all: true }, into: { namespace: 'other' }, wanted: undefined },
    {
      title: 'the same namespace',
      exports: { all: true },
      into: { sameNamespace: true },
      wanted: { namespaces: ['store'], names: ['web'], isExplicit: false },
    },
    {
      title: 'the same namespace, not listed',
      exports: { namespaces: ['shop'] },
      into: { sameNamespace: true },
      wanted: undefined,
    },
    {
      title: 'a fixed name',
      exports: { names: ['db'] },
      into: { namespace: 'store', name: 'web' },
      wanted: { names: ['db'], isExplicit: true },
    },
    {
      title: 'a fixed name of anything',
      exports: { namespaces: ['shop'] },
      into: { namespace: 'store', name: 'web' },
      wanted: { namespaces: ['shop'], isExplicit: false },
    },
    {
      title: 'a template that cannot fit',
      exports: { namespaces: ['shop'] },
      into: { namespace: 'store', name: 'x-{name}' },
      wanted: undefined,
    },
    {
      title: 'the name of the peer',
      exports: { names: ['b'] },
      into: { namespace: 'store', name: 'w{name}' },
      wanted: undefined,
    },
  ];
  for (const { title, exports, into, wanted } of cases) {
    it(`${title} → ${JSON.stringify(wanted)}`, () => {
      assert.deepEqual(findWanted(rule(exports, into), { namespace: 'store', name: 'web' }, ['east']), wanted);
    });
  }

  it('a template with peer → by the peers that the rule selects', () => {
    const from = rule({ names: ['web'] }, { namespace: 'store', name: '{name}-{peer}' });
    const key = { namespace: 'store', name: 'web-east' };
    assert.deepEqual(findWanted(from, key, ['north', 'east']), { names: ['web'], isExplicit: true });
    assert.equal(findWanted(from, key, ['north']), undefined);
  });
});
