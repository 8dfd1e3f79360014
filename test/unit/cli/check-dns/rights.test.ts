import assert from 'node:assert/strict';
import { isAllowed } from '#src/cli/check-dns/rights.ts';
import type { Manifest } from '#src/cli/deploy/manifests.ts';

const GROUP = 'rbac.authorization.k8s.io';
const WANTED = {
  namespace: 'kube-system',
  serviceAccount: 'coredns',
  group: 'multicluster.x-k8s.io',
  resource: 'serviceimports',
  verbs: ['list', 'watch'],
};
const ACCOUNT = { kind: 'ServiceAccount', name: 'coredns', namespace: 'kube-system' };
const RULE = { apiGroups: ['multicluster.x-k8s.io'], resources: ['serviceimports'], verbs: ['list', 'watch'] };

function role(name: string, ...rules: object[]): Manifest {
  return { apiVersion: `${GROUP}/v1`, kind: 'ClusterRole', metadata: { name }, rules };
}

function binding(roleName: string, ...subjects: object[]): Manifest {
  const roleRef = { apiGroup: GROUP, kind: 'ClusterRole', name: roleName };
  return { apiVersion: `${GROUP}/v1`, kind: 'ClusterRoleBinding', metadata: { name: roleName }, roleRef, subjects };
}

describe('isAllowed', () => {
  const rows: [title: string, roles: Manifest[], bindings: Manifest[], expected: boolean][] = [
    ['the role, bound to the account', [role('a', RULE)], [binding('a', ACCOUNT)], true],
    [
      'bound to its name as a user',
      [role('a', RULE)],
      [binding('a', { kind: 'User', name: 'system:serviceaccount:kube-system:coredns' })],
      true,
    ],
    [
      'bound to all accounts of the namespace',
      [role('a', RULE)],
      [binding('a', { kind: 'Group', name: 'system:serviceaccounts:kube-system' })],
      true,
    ],
    [
      'bound to those of another namespace',
      [role('a', RULE)],
      [binding('a', { kind: 'Group', name: 'system:serviceaccounts:shop' })],
      false,
    ],
    ['bound to another account', [role('a', RULE)], [binding('a', { ...ACCOUNT, name: 'other' })], false],
    [
      'bound to the account of another namespace',
      [role('a', RULE)],
      [binding('a', { ...ACCOUNT, namespace: 'shop' })],
      false,
    ],
    ['not bound', [role('a', RULE)], [binding('b', ACCOUNT)], false],
    ['nobody bound', [role('a', RULE)], [binding('a')], false],
    ['everything', [role('a', { apiGroups: ['*'], resources: ['*'], verbs: ['*'] })], [binding('a', ACCOUNT)], true],
    ['list alone', [role('a', { ...RULE, verbs: ['list'] })], [binding('a', ACCOUNT)], false],
    [
      'list and watch from two roles',
      [role('a', { ...RULE, verbs: ['list'] }), role('b', { ...RULE, verbs: ['watch'] })],
      [binding('a', ACCOUNT), binding('b', ACCOUNT)],
      true,
    ],
    ['one object by its name', [role('a', { ...RULE, resourceNames: ['web'] })], [binding('a', ACCOUNT)], false],
    ['another group', [role('a', { ...RULE, apiGroups: [''] })], [binding('a', ACCOUNT)], false],
  ];
  for (const [title, roles, bindings, expected] of rows) {
    it(`${title} → ${expected}`, () => assert.equal(isAllowed(WANTED, roles, bindings), expected));
  }
});
