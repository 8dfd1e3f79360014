import assert from 'node:assert/strict';
import { parse } from 'yaml';
import { configSchema } from '#src/runtime/config-schema.ts';
import { SETTINGS, settingOf } from '#src/runtime/settings.ts';

/** Every leaf of the schema, dotted: strict objects are walked, everything else is a setting. */
function leavesOf(schema: unknown, prefix = ''): string[] {
  const { entries, wrapped } = schema as { entries?: Record<string, unknown>; wrapped?: unknown };
  if (wrapped !== undefined) return leavesOf(wrapped, prefix);
  if (entries === undefined) return [prefix];
  return Object.entries(entries).flatMap(([key, inner]) => leavesOf(inner, prefix === '' ? key : `${prefix}.${key}`));
}

describe('SETTINGS', () => {
  it('the table and the schema → the same settings', () => {
    assert.deepEqual(SETTINGS.map(({ key }) => key).sort(), leavesOf(configSchema).sort());
  });
  it('keys, variables and flags → unique and derived alike', () => {
    for (const name of ['key', 'env', 'flag'] as const) {
      assert.equal(new Set(SETTINGS.map((setting) => setting[name])).size, SETTINGS.length);
    }
    const setting = settingOf(['client', 'serviceAccount']);
    assert.equal(setting?.env, 'CLUSTERLINK_MCS_CLIENT_SERVICE_ACCOUNT');
    assert.equal(setting.flag, '--client-service-account');
  });
  it('every example → YAML that gives its own key', () => {
    for (const { key, example } of SETTINGS) {
      const value = key
        .split('.')
        .reduce<unknown>((tree, step) => (tree as Record<string, unknown>)[step], parse(example));
      assert.notEqual(value, undefined, key);
    }
  });
});

describe('settingOf', () => {
  for (const [path, key] of [
    [['peer'], 'peer'],
    [['labels', 'a'], 'labels'],
    [['gateway', 'advertise', '3'], 'gateway.advertise'],
    [['gateway'], undefined],
    [[], undefined],
  ] as const) {
    it(`${path.join('.') || 'nothing'} → ${key ?? 'none'}`, () => assert.equal(settingOf(path)?.key, key));
  }
});
