import assert from 'node:assert/strict';
import { decideCrd, DEPLOY_MANAGER, withVersion } from '#src/cli/deploy/crd-verdict.ts';
import type { Manifest } from '#src/cli/deploy/manifests.ts';

const RELEASE = 'multicluster.x-k8s.io/release-version';
const REVISION = 'multicluster.x-k8s.io/crd-schema-revision';
const VERSION = 'app.kubernetes.io/version';

const crd = (labels: Readonly<Record<string, string>> = {}): Manifest => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'things.example', labels: { ...labels } },
});

interface Applier {
  readonly manager?: string;
  readonly operation?: string;
  readonly fields?: object;
}

function present(labels: Readonly<Record<string, string>>, applier: Applier = {}): Manifest {
  const { manager = DEPLOY_MANAGER, operation = 'Apply', fields = { 'f:spec': {} } } = applier;
  const object = crd(labels);
  return { ...object, metadata: { ...object.metadata, managedFields: [{ manager, operation, fieldsV1: fields }] } };
}

describe('decideCrd', () => {
  const upstream = withVersion(crd({ [RELEASE]: 'v0.5.0', [REVISION]: '2' }), '0.2.0');
  const own = withVersion(crd(), '0.2.0');

  it('none is there → created', () => {
    assert.deepEqual(decideCrd(own, undefined), { action: 'create' });
  });

  const CASES: readonly (readonly [string, Manifest, Readonly<Record<string, string>>, 'leave' | 'update'])[] = [
    ['the same release and revision', upstream, { [RELEASE]: 'v0.5.0', [REVISION]: '2' }, 'update'],
    ['an older revision', upstream, { [RELEASE]: 'v0.5.0', [REVISION]: '1' }, 'update'],
    ['a newer revision', upstream, { [RELEASE]: 'v0.5.0', [REVISION]: '3' }, 'leave'],
    ['an older release of a greater revision', upstream, { [RELEASE]: 'v0.4.9', [REVISION]: '9' }, 'update'],
    ['a newer release of a smaller revision', upstream, { [RELEASE]: 'v0.10.0', [REVISION]: '0' }, 'leave'],
    ['a release without a revision', upstream, { [RELEASE]: 'v0.5.0' }, 'update'],
    ['a release that is no version', upstream, { [RELEASE]: 'main', [REVISION]: '0' }, 'leave'],
    ['the same version of this program', own, { [VERSION]: '0.2.0' }, 'update'],
    ['an older version of this program', own, { [VERSION]: '0.1.9' }, 'update'],
    ['a newer version of this program', own, { [VERSION]: '0.10.0' }, 'leave'],
    ['no version at all', own, {}, 'leave'],
  ];
  for (const [what, desired, labels, action] of CASES) {
    it(`${what}, written by us → ${action} (CRD-03)`, () => {
      assert.equal(decideCrd(desired, present(labels)).action, action);
    });
  }

  const OTHERS: Readonly<Record<string, Applier>> = {
    'another manager': { manager: 'kubectl' },
    'our name in an update, which is no apply': { operation: 'Update' },
    'our apply of labels alone': { fields: { 'f:metadata': {} } },
  };
  for (const [what, applier] of Object.entries(OTHERS)) {
    it(`${what} → left alone, also where it is older (CRD-03)`, () => {
      assert.deepEqual(decideCrd(own, present({ [VERSION]: '0.1.0' }, applier)), {
        action: 'leave',
        why: 'somebody else installed it',
      });
    });
  }
});
