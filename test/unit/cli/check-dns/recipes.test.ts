import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { recipeFor, resolverOf, type ResolverProgram } from '#src/cli/check-dns/recipes.ts';
import { DEFAULTS } from './defaults.ts';

const DOCUMENT = readFileSync(new URL('../../../../docs/DNS.md', import.meta.url), 'utf8');

/** The first code block below a heading, and what stands before it. */
function sectionOf(heading: string): { readonly before: string; readonly block: string } {
  const [, section = ''] = DOCUMENT.split(`\n### ${heading}\n`);
  const [, before = '', block = ''] = /^([\s\S]*?)^```\w*\n([\s\S]*?)^```$/m.exec(section) ?? [];
  return { before, block };
}

describe('recipeFor', () => {
  const rows: [program: ResolverProgram, heading: string][] = [
    ['systemd-resolved', 'systemd-resolved'],
    ['dnsmasq', 'dnsmasq'],
    ['unbound', 'unbound'],
    ['macos', 'macOS'],
  ];
  for (const [program, heading] of rows) {
    it(`${program}, a peer as it is by default → the text and the place of docs/DNS.md`, () => {
      const { use, text } = recipeFor(program, DEFAULTS);
      const { before, block } = sectionOf(heading);
      assert.equal(text, block);
      for (const place of use.split(/, and: /)) assert.ok(before.includes(`\`${place}\``), place);
    });
  }

  it('several zones, another port → in every recipe', () => {
    for (const [program] of rows.filter(([name]) => name !== 'macos')) {
      const { text } = recipeFor(program, { listen: { host: '127.0.0.1', port: 5300 }, zones: ['a.local', 'b.local'] });
      assert.ok(text.includes('a.local') && text.includes('b.local') && /[:@#]5300/.test(text), text);
    }
  });

  it('nobody answers here → dnsmasq, to be put before who answers', () => {
    const { use, text } = recipeFor('none', DEFAULTS);
    assert.equal(text, sectionOf('dnsmasq').block);
    assert.match(use, /install dnsmasq/);
  });
});

describe('resolverOf', () => {
  const rows: [title: string, machine: Parameters<typeof resolverOf>[0], expected: ResolverProgram][] = [
    ["resolved's stub", { platform: 'linux', nameservers: ['127.0.0.53'], folders: [] }, 'systemd-resolved'],
    [
      'resolved without it',
      { platform: 'linux', nameservers: ['192.0.2.1'], folders: ['/run/systemd/resolve'] },
      'systemd-resolved',
    ],
    ['a server somewhere else', { platform: 'linux', nameservers: ['192.0.2.1'], folders: ['/etc/dnsmasq.d'] }, 'none'],
    ['dnsmasq', { platform: 'linux', nameservers: ['127.0.0.1'], folders: ['/etc/dnsmasq.d'] }, 'dnsmasq'],
    ['unbound', { platform: 'linux', nameservers: ['::1'], folders: ['/etc/unbound', '/etc/dnsmasq.d'] }, 'unbound'],
    ['something else that is here', { platform: 'linux', nameservers: ['127.0.0.1'], folders: [] }, 'none'],
    ['a Mac', { platform: 'darwin', nameservers: ['127.0.0.1'], folders: [] }, 'macos'],
  ];
  for (const [title, machine, expected] of rows) {
    it(`${title} → ${expected}`, () => assert.equal(resolverOf(machine), expected));
  }
});
