import assert from 'node:assert/strict';
import { parse, stringify } from 'yaml';
import { parseConfig, type Config } from '#src/runtime/config.ts';
import { formatHostPort, type HostPort } from '#src/runtime/host-port.ts';
import { COMMAND_VARIABLES, SETTINGS } from '#src/runtime/settings.ts';
import { codeBlocksOf, codeOf, codeSpansOf, readDocument, rowsOf, sectionOf, sectionsOf } from './markdown.ts';

const TEXT = readDocument('docs/CONFIGURATION.md');
const ROWS = rowsOf(TEXT).filter((row) => 'key' in row);
const EXAMPLES = codeBlocksOf(TEXT, 'yaml');
const REQUIRED = { peer: 'east', fabric: { ca: 'ca', cert: 'cert', key: 'key' } };

function load(file: unknown): Config {
  return parseConfig({
    file: { name: '/etc/peer.yaml', text: stringify(file) },
    env: {},
    cwd: '/srv',
    state: 'state',
  });
}

function at(tree: unknown, key: string): unknown {
  return key.split('.').reduce<unknown>((value, step) => (value as Record<string, unknown> | undefined)?.[step], tree);
}

/** A value as the page writes it: as flags do, `none` where there is nothing. */
function written(value: unknown): string {
  if (value === undefined) return 'none';
  if (Array.isArray(value)) return value.length === 0 ? 'none' : `\`${value.join(',')}\``;
  if (typeof value === 'string' || typeof value === 'number') return `\`${value}\``;
  if (isHostPort(value)) return `\`${formatHostPort(value)}\``;
  assert.deepEqual(value, {}, 'a default that this test cannot write');
  return 'none';
}

function isHostPort(value: unknown): value is HostPort {
  return typeof value === 'object' && value !== null && 'host' in value && 'port' in value;
}

describe('docs/CONFIGURATION.md', () => {
  it('the tables → every setting with its variable, flag and form, and no other', () => {
    const documented = ROWS.map(({ key = '', variable = '', flag = '', form = '' }) => ({
      key: codeOf(key),
      env: codeOf(variable),
      flag: codeOf(flag),
      form,
    }));
    const settings = SETTINGS.map(({ key, env, flag, form }) => ({ key, env, flag, form }));
    const byKey = (a: { key: string }, b: { key: string }): number => (a.key < b.key ? -1 : 1);
    assert.deepEqual(documented.sort(byKey), settings.sort(byKey));
  });

  const config = load(REQUIRED);
  for (const { key = '', default: documented = '' } of ROWS) {
    const setting = codeOf(key);
    it(`${setting} → the default that a process without it has`, () => {
      if (at(REQUIRED, setting) !== undefined) assert.equal(documented, 'required');
      else if (setting === 'vips') assert.equal(documented, `\`${config.vips}\` for \`east\``);
      else if (setting === 'admin') {
        assert.equal(documented, '`admin.sock` in the state folder');
        assert.equal(config.admin, '/srv/state/admin.sock');
      } else assert.equal(documented, written(at(config, setting)));
    });
  }

  it('a key without its value → refused exactly where the page says required', () => {
    const required = ROWS.filter((row) => row['default'] === 'required').map(({ key = '' }) => codeOf(key));
    assert.throws(() => load({ fabric: {} }), { code: 'ERR_CONFIG', details: { problems: required.length } });
  });

  it('the complete file → taken, and it gives every setting', () => {
    const [complete = ''] = EXAMPLES;
    load(parse(complete));
    assert.deepEqual(
      SETTINGS.filter(({ key }) => at(parse(complete), key) === undefined).map(({ key }) => key),
      [],
    );
  });

  it('every other example → taken, together with what is required', () => {
    assert.ok(EXAMPLES.length > 5);
    for (const example of EXAMPLES.slice(1)) load({ ...REQUIRED, ...(parse(example) as object) });
  });

  it('every setting → words of its own, in the section of its table', () => {
    const sections = sectionsOf(TEXT).filter(({ text }) => rowsOf(text).some((row) => 'key' in row));
    for (const { text } of sections) {
      const explained = (text.match(/^- `[^`]+`:/gm) ?? []).map((line) => line.slice(3, -2));
      for (const { key = '' } of rowsOf(text)) {
        const names = [codeOf(key), codeOf(key).replace(/\.[^.]+$/, '.*')];
        assert.ok(
          names.some((name) => explained.includes(name)),
          key,
        );
      }
    }
  });

  it('variables that are no settings → those of the command line', () => {
    const rows = rowsOf(sectionOf(TEXT, 'Where things are').text);
    assert.deepEqual(rows.map(({ variable = '' }) => codeOf(variable)).sort(), [...COMMAND_VARIABLES].sort());
    const known = [...COMMAND_VARIABLES, ...SETTINGS.map(({ env }) => env), 'CLUSTERLINK_MCS_'];
    const named = codeSpansOf(TEXT).filter((code) => code.startsWith('CLUSTERLINK_MCS_'));
    assert.deepEqual(
      named.filter((name) => !known.includes(name)),
      [],
    );
  });
});
