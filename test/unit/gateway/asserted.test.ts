import assert from 'node:assert/strict';
import { toAsserted } from '#src/gateway/asserted.ts';
import { encodeSource } from '#src/gateway/wire/source.ts';
import { SOURCE_BYTES_MAX, SOURCE_KEYS_MAX } from '#src/gateway/wire/limits.ts';

function clientWith(labels: number, value = 'v') {
  const entries = Array.from({ length: labels }, (_, index) => [`l${index}`, value]);
  return { namespace: 'web', serviceAccount: 'front', labels: Object.fromEntries(entries) as Record<string, string> };
}

describe('toAsserted', () => {
  it('a workload → its namespace, service account and labels', () => {
    assert.deepEqual(toAsserted(clientWith(1)), { namespace: 'web', serviceAccount: 'front', 'labels.l0': 'v' });
  });

  it('not identified → nothing', () => {
    assert.equal(toAsserted({ unidentified: 'no-pod' }), null);
  });

  it(`${SOURCE_KEYS_MAX} attributes → all; one more → nothing at all: one left out would count as absent`, () => {
    const most = toAsserted(clientWith(SOURCE_KEYS_MAX - 2));
    assert.equal(Object.keys(most ?? {}).length, SOURCE_KEYS_MAX);
    encodeSource(most);
    assert.equal(toAsserted(clientWith(SOURCE_KEYS_MAX - 1)), null);
  });

  it(`more than ${SOURCE_BYTES_MAX} bytes → nothing`, () => {
    assert.equal(toAsserted(clientWith(20, 'x'.repeat(SOURCE_BYTES_MAX / 20))), null);
  });
});
