import assert from 'node:assert/strict';
import * as v from 'valibot';
import { POLICY_CHANGES_TOLD_MAX } from '#src/cli/limits.ts';
import { changePolicies, policyChanges, toPolicyChanges, type PolicyDiffReport } from '#src/cli/test-policy-diff.ts';
import { formatPolicyDiff } from '#src/cli/test-policy-format.ts';
import { policiesOf } from '#src/cli/test-policy-manifests.ts';
import { baseline, compileAll, is, privileged, regular, spec } from '../policy/fixtures.ts';

const all = regular('shop', spec('allow'), 'all');
const strict = regular('shop', spec('deny', is({ sa: 'back' })), 'strict');
const present = policiesOf([all, baseline(spec('deny'))]);

describe('changePolicies', () => {
  it('apply → beside those that are there, and in the place of those of the same name', () => {
    const changed = { ...all, spec: spec('allow', is({ sa: 'front' })) };
    const { next, difference } = changePolicies(present, toPolicyChanges([changed, strict], 'apply'));
    assert.deepEqual(next, compileAll([changed, strict, baseline(spec('deny'))]));
    assert.deepEqual(difference, {
      added: ['AccessPolicy shop/strict'],
      changed: ['AccessPolicy shop/all'],
      removed: [],
    });
  });

  it('replace → those alone', () => {
    const { next, difference } = changePolicies(present, toPolicyChanges([all, strict], 'replace'));
    assert.deepEqual(next, compileAll([all, strict]));
    assert.deepEqual(difference, {
      added: ['AccessPolicy shop/strict'],
      changed: [],
      removed: ['BaselineAccessPolicy b'],
    });
  });

  it('what is there already, with a status and other labels → no change', () => {
    const written = { ...all, status: { conditions: [] }, metadata: { ...all.metadata, labels: { a: 'b' } } };
    const { difference } = changePolicies(present, toPolicyChanges([written], 'apply'));
    assert.deepEqual(difference, { added: [], changed: [], removed: [] });
  });

  it('a policy that cannot be read → fails closed, as if it were applied', () => {
    const broken = { ...strict, spec: { ...strict.spec, from: [] } };
    const sent = toPolicyChanges([broken], 'apply');
    assert.deepEqual(v.parse(policyChanges, JSON.parse(JSON.stringify(sent))), sent);
    assert.deepEqual(changePolicies(present, sent).next, compileAll([all, broken, baseline(spec('deny'))]));
  });

  it(`more than ${POLICY_CHANGES_TOLD_MAX} → so many are named`, () => {
    const many = Array.from({ length: POLICY_CHANGES_TOLD_MAX + 1 }, (_, index) =>
      privileged(spec('deny'), `n${index}`),
    );
    assert.equal(
      changePolicies(present, toPolicyChanges(many, 'apply')).difference.added.length,
      POLICY_CHANGES_TOLD_MAX,
    );
  });
});

describe('formatPolicyDiff', () => {
  const cut = {
    direction: 'ingress',
    object: 'shop/db',
    peer: 'west',
    reason: 'POLICY_CHANGED',
    message: 'no.',
  } as const;
  const report: PolicyDiffReport = {
    policies: { added: ['AccessPolicy shop/strict'], changed: [], removed: [] },
    open: 5,
    cuts: [
      { ...cut, connection: '1' },
      { ...cut, connection: '2' },
    ],
    cutsTotal: 2,
    unasked: 1,
    admissions: [{ connection: '3', direction: 'egress', object: 'store/db', peer: 'east' }],
  };

  it('text → connections that differ in nothing shown are counted', () => {
    const text = formatPolicyDiff(report, 'text');
    assert.match(text, /^added {3}AccessPolicy shop\/strict$/m);
    assert.match(text, /^2 of 5 open connections would be cut\.$/m);
    assert.match(text, /^1 of them were not asked/m);
    assert.match(text, /^ingress +shop\/db +west +2 +POLICY_CHANGED +no\.$/m);
    assert.match(text, /^1 connections refused of late would not be refused here:\n.*\negress +store\/db +east +1$/m);
  });

  it('json → the report', () => assert.deepEqual(JSON.parse(formatPolicyDiff(report, 'json')), report));
});
