import assert from 'node:assert/strict';
import { checkImports } from '#src/cli/check-imports.ts';
import type { Found } from '#src/cli/check-found.ts';
import { written } from '../merge/fixtures.ts';

function found(text: string, targetPort = 0): Found<'Import'> {
  const object = written(text, [], { targetPort });
  const [namespace = '', name = ''] = text.split('/');
  return {
    object,
    at: { kind: 'Import', key: { namespace, name }, object, file: `${name}.yaml`, line: 1, text: '' } as never,
  };
}

function serviceImport(namespace: string, name: string): Found<'ServiceImport'> {
  return {
    object: { apiVersion: 'multicluster.x-k8s.io/v1beta1', kind: 'ServiceImport', metadata: { namespace, name } },
  } as Found<'ServiceImport'>;
}

describe('checkImports', () => {
  it('Imports that have nothing in common, or claim nothing → nothing', () => {
    const imports = [found('shop/a', 3000), found('shop/b', 3001), found('shop/c'), found('store/c')];
    assert.deepEqual(checkImports(imports, [serviceImport('shop', 'x')]), []);
  });

  it('one target port twice → a warning at the second, with the first', () => {
    const problems = checkImports([found('shop/a', 3000), found('store/b', 3000)], []);
    assert.deepEqual(
      problems.map(({ file, field, severity }) => [file, field, severity]),
      [['b.yaml', 'spec.targetPort', 'warning']],
    );
    assert.match(problems[0]?.message ?? '', /is 3000, which Import shop\/a has/);
  });

  it('a ServiceImport of its name → a warning', () => {
    const [problem] = checkImports([found('shop/a')], [serviceImport('shop', 'a')]);
    assert.deepEqual([problem?.field, problem?.severity], ['metadata.name', 'warning']);
    assert.match(problem?.message ?? '', /ServiceImport shop\/a has the name/);
  });

  it('the name of the API server’s Service → a warning', () => {
    const problems = checkImports([found('default/kubernetes'), found('shop/kubernetes')], []);
    assert.deepEqual(
      problems.map(({ file, message }) => [file, /way to the API server/.test(message)]),
      [['kubernetes.yaml', true]],
    );
  });
});
