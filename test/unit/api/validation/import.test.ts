import assert from 'node:assert/strict';
import { formatPath } from '#src/api/validation/finding.ts';
import { validateObject } from '#src/api/validation/validate.ts';

/** Appendix A of ClusterLink's facts, as it stands there. */
const SAMPLE = {
  apiVersion: 'clusterlink.net/v1alpha1',
  kind: 'Import',
  metadata: { name: 'cart', namespace: 'shop', labels: { 'import.clusterlink.net/merge': 'false' } },
  spec: {
    port: 80,
    lbScheme: 'static',
    sources: [{ peer: 'west', exportName: 'cart-api', exportNamespace: 'prod' }],
  },
};

function withSpec(changes: object, name = 'cart'): object {
  return { ...SAMPLE, metadata: { ...SAMPLE.metadata, name }, spec: { ...SAMPLE.spec, ...changes } };
}

const source = { peer: 'west', exportName: 'cart-api', exportNamespace: 'prod' };

describe('validateObject: Import', () => {
  it('ClusterLink’s sample → nothing is wrong', () => {
    assert.deepEqual(validateObject('Import', SAMPLE), []);
  });

  it('63 characters as a name → right; 64 → refused (TestImportInvalidName)', () => {
    assert.deepEqual(validateObject('Import', withSpec({}, 'a'.repeat(63))), []);
    assert.equal(validateObject('Import', withSpec({}, 'a'.repeat(64)))[0]?.admits, false);
  });

  const refused: [title: string, object: object, field: string, message: RegExp][] = [
    ['port 0', withSpec({ port: 0 }), 'spec.port', /between 1 and 65535, is 0/],
    ['a port too high', withSpec({ port: 65_536 }), 'spec.port', /is 65536/],
    ['no port', withSpec({ port: undefined }), 'spec.port', /./],
    ['a target port too high', withSpec({ targetPort: 65_536 }), 'spec.targetPort', /is 65536/],
    ['no list of sources', withSpec({ sources: undefined }), 'spec.sources', /./],
    ['a name with a dot', withSpec({}, 'a.b'), 'metadata.name', /RFC 1123 label/],
    ['a source without a peer', withSpec({ sources: [{ ...source, peer: '' }] }), 'spec.sources[0].peer', /is ""/],
    [
      'a path as an export',
      withSpec({ sources: [{ ...source, exportName: 'prod/cart' }] }),
      'spec.sources[0].exportName',
      /is "prod\/cart"/,
    ],
    [
      'a namespace that cannot be',
      withSpec({ sources: [{ ...source, exportNamespace: 'a.b' }] }),
      'spec.sources[0].exportNamespace',
      /is "a.b"/,
    ],
  ];
  for (const [title, object, field, message] of refused) {
    it(`${title} → refused at ${field}, with a remedy`, () => {
      const [problem] = validateObject('Import', JSON.parse(JSON.stringify(object)));
      assert.equal(formatPath(problem?.path ?? []), field);
      assert.match(problem?.message ?? '', message);
      assert.deepEqual([problem?.severity, problem?.admits], ['error', false]);
      assert.notEqual(problem?.fix, '');
    });
  }

  const warned: [title: string, object: object, field: string, message: RegExp][] = [
    [
      'an unknown scheme (their bug 15)',
      withSpec({ lbScheme: 'round_robin' }),
      'spec.lbScheme',
      /is "round_robin", did you mean "round-robin"\?; round-robin is used/,
    ],
    ['no sources', withSpec({ sources: [] }), 'spec.sources', /every connection will be refused/],
    ['one source twice', withSpec({ sources: [source, source] }), 'spec.sources[1]', /same as sources\[0\]/],
  ];
  for (const [title, object, field, message] of warned) {
    it(`${title} → taken, with a warning at ${field}`, () => {
      const problems = validateObject('Import', object);
      assert.deepEqual(
        problems.map(({ path, severity, admits }) => [formatPath(path), severity, admits]),
        [[field, 'warning', true]],
      );
      assert.match(problems[0]?.message ?? '', message);
    });
  }

  it('empty names of a source → right: they are the Import’s own', () => {
    const sources = [{ peer: 'west', exportName: '', exportNamespace: '' }];
    assert.deepEqual(validateObject('Import', withSpec({ sources })), []);
  });

  it('a port of a Service as an export → right', () => {
    const sources = [{ ...source, exportName: 'cart.metrics' }];
    assert.deepEqual(validateObject('Import', withSpec({ sources })), []);
  });
});
