import assert from 'node:assert/strict';
import type { ErrorCode } from '#src/api/errors.ts';
import { toAppError, undeclaredFields, type Attempt } from '#src/store/kubernetes/status.ts';
import { statusOf } from './scripted-server.ts';

const APPLY: Attempt = { kind: 'ServiceExport', key: { namespace: 'shop', name: 'db' }, verb: 'apply' };

function errorOf(attempt: Attempt, code: number, body: unknown) {
  return toAppError(attempt, { status: code, body });
}

function typedPatch(problem: string) {
  const message = `failed to create typed patch object (shop/db; multicluster.x-k8s.io/v1beta1, Kind=ServiceExport): ${problem}`;
  return { status: 500, body: statusOf(500, 'InternalError', { message }).body };
}

describe('toAppError', () => {
  const cause = (reason: string, field: string, message: string) => ({ reason, field, message });
  const rows: readonly (readonly [string, number, unknown, ErrorCode, boolean, RegExp])[] = [
    ['429', 429, statusOf(429, 'TooManyRequests').body, 'ERR_STORE_UNAVAILABLE', true, /429/],
    ['500', 500, statusOf(500, 'InternalError').body, 'ERR_STORE_UNAVAILABLE', true, /500/],
    ['503 in HTML', 503, undefined, 'ERR_STORE_UNAVAILABLE', true, /503/],
    ['401', 401, statusOf(401, 'Unauthorized').body, 'ERR_FORBIDDEN', true, /credentials/],
    [
      '403',
      403,
      statusOf(403, 'Forbidden', { message: 'User "x" cannot patch' }).body,
      'ERR_FORBIDDEN',
      false,
      /cannot patch/,
    ],
    ['413', 413, undefined, 'ERR_BOUND_EXCEEDED', false, /larger/],
    [
      'the bound of etcd',
      500,
      statusOf(500, '', { message: 'etcdserver: request is too large' }).body,
      'ERR_BOUND_EXCEEDED',
      false,
      /larger/,
    ],
    [
      '422',
      422,
      statusOf(422, 'Invalid', {
        details: { causes: [cause('FieldValueInvalid', 'spec.ports[0].port', 'must be between 1 and 65535')] },
      }).body,
      'ERR_INVALID_OBJECT',
      false,
      /spec\.ports\[0\]\.port: must be between/,
    ],
    [
      '400',
      400,
      statusOf(400, 'BadRequest', { message: 'cannot be handled' }).body,
      'ERR_INVALID_OBJECT',
      false,
      /cannot be handled/,
    ],
    [
      'another uid',
      422,
      statusOf(422, 'Invalid', {
        details: { causes: [cause('FieldValueInvalid', 'metadata.uid', 'field is immutable')] },
      }).body,
      'ERR_CONFLICT',
      false,
      /not the object that was read/,
    ],
    [
      'another version',
      409,
      statusOf(409, 'Conflict', { message: 'the object has been modified' }).body,
      'ERR_CONFLICT',
      false,
      /not the object that was read/,
    ],
    [
      'fields of others',
      409,
      statusOf(409, 'Conflict', {
        details: { causes: [cause('FieldManagerConflict', '.spec.a', 'conflict with "alice"')] },
      }).body,
      'ERR_CONFLICT',
      false,
      /\.spec\.a \(conflict with "alice"\)/,
    ],
    [
      'a patch that does not fit the schema',
      500,
      typedPatch('.spec.a: expected string').body,
      'ERR_INVALID_OBJECT',
      false,
      /\.spec\.a: expected string/,
    ],
  ];
  for (const [what, code, body, expected, isRetryable, message] of rows) {
    it(`${what} → ${expected}${isRetryable ? ', retryable' : ''}`, () => {
      const error = errorOf(APPLY, code, body);
      assert.deepEqual([error.code, error.retryable], [expected, isRetryable]);
      assert.match(error.message, message);
      assert.match(error.message, /^ServiceExport shop\/db: /);
      assert.notEqual(error.fix ?? '', '');
    });
  }

  it('404 and a terminating namespace → ERR_NOT_FOUND that says what is missing', () => {
    const terminating = { details: { causes: [cause('NamespaceTerminating', 'metadata.namespace', 'x')] } };
    const found = [
      errorOf(APPLY, 404, statusOf(404, 'NotFound', { details: { kind: 'namespaces' } }).body),
      errorOf(APPLY, 403, statusOf(403, 'Forbidden', terminating).body),
      errorOf(
        { ...APPLY, verb: 'apply-status' },
        404,
        statusOf(404, 'NotFound', { details: { kind: 'serviceexports' } }).body,
      ),
      errorOf(APPLY, 404, undefined),
    ];
    assert.deepEqual(
      found.map(({ code, details, retryable }) => [code, details['missing'], retryable]),
      [
        ['ERR_NOT_FOUND', 'namespace', false],
        ['ERR_NOT_FOUND', 'namespace', false],
        ['ERR_NOT_FOUND', 'object', false],
        ['ERR_NOT_FOUND', 'kind', true],
      ],
    );
  });

  it('403 for each verb → the rule to add', () => {
    const fixes = (['apply', 'apply-status', 'delete', 'get', 'list', 'watch'] as const).map(
      (verb) =>
        errorOf({ ...APPLY, verb }, 403, undefined)
          .fix?.match(/resources: (.*?\]), verbs: (.*?\])/)
          ?.slice(1) ?? [],
    );
    assert.deepEqual(fixes, [
      ['["serviceexports"]', '["create", "patch"]'],
      ['["serviceexports/status"]', '["patch"]'],
      ['["serviceexports"]', '["delete"]'],
      ['["serviceexports"]', '["get"]'],
      ['["serviceexports"]', '["list", "watch"]'],
      ['["serviceexports"]', '["list", "watch"]'],
    ]);
  });

  it('texts without end → quoted up to a bound', () => {
    const causes = Array.from({ length: 1_000 }, (_, index) =>
      cause('FieldValueInvalid', `spec.f${index}`, 'x'.repeat(10_000)),
    );
    const error = errorOf(APPLY, 422, statusOf(422, 'Invalid', { details: { causes } }).body);
    assert.ok(error.message.length < 3_000, String(error.message.length));
  });

  it('a body that makes no sense → an error all the same', () => {
    for (const body of [
      null,
      1,
      'x',
      [],
      { kind: 'Status' },
      { kind: 'Status', details: 7 },
      { kind: 'Status', details: { causes: [1, null] } },
    ]) {
      for (const code of [400, 401, 403, 404, 409, 422, 429, 500, 302])
        assert.notEqual(errorOf(APPLY, code, body).code, 'ERR_INTERNAL');
    }
  });
});

describe('undeclaredFields', () => {
  it('one, or several → their paths', () => {
    assert.deepEqual(undeclaredFields(typedPatch('.spec.x: field not declared in schema')), ['.spec.x']);
    const several = typedPatch(
      'errors:\n  .spec.x: field not declared in schema\n  .status.y: field not declared in schema',
    );
    assert.deepEqual(undeclaredFields(several), ['.spec.x', '.status.y']);
  });

  it('with anything else wrong, or another status → none', () => {
    const mixed = typedPatch('errors:\n  .spec.x: field not declared in schema\n  .spec.y: expected string');
    assert.deepEqual(undeclaredFields(mixed), []);
    assert.deepEqual(undeclaredFields({ ...typedPatch('.spec.x: field not declared in schema'), status: 422 }), []);
    assert.deepEqual(undeclaredFields(statusOf(500, 'InternalError') as { status: number; body: unknown }), []);
  });
});
