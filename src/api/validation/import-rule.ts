/** ImportRule and ClusterImportRule: what their schema cannot say. The merge checks the same once more, and fails closed. */
import { DEFINED_ZONES, isAliasTemplate } from '../aliases.ts';
import { isLabel } from '../names.ts';
import { askWhether, didYouMean } from './did-you-mean.ts';
import { below, type Finding } from './finding.ts';
import { listAt, mapAt, textAt, valueAt, type JsonObject } from './json.ts';
import { LABEL_CHARS_MAX } from './limits.ts';
import { quote } from './quote.ts';
import { selectorProblems } from './selector.ts';

const PLACEHOLDERS = ['name', 'namespace', 'peer'];
const LABEL_FIX = 'Use at most 63 of a-z, 0-9 and "-", with a letter or digit at both ends.';

export function importRuleProblems(rule: JsonObject): Finding[] {
  const spec = mapAt(rule, 'spec');
  return below(
    ['spec'],
    [
      ...below(['peers'], peersProblems(spec['peers'])),
      ...below(['exports'], exportsProblems(spec['exports'])),
      ...below(['into', 'name'], templateProblems(textAt(spec, 'into', 'name'))),
      ...below(['metadata', 'allow'], prefixProblems(listAt(spec, 'metadata', 'allow'))),
      ...below(['aliases'], aliasProblems(listAt(spec, 'aliases'))),
      ...below(['loadBalancing', 'peers'], balancedPeerProblems(spec)),
    ],
  );
}

export function clusterImportRuleProblems(rule: JsonObject): Finding[] {
  return [...importRuleProblems(rule), ...below(['spec', 'into'], spaceProblems(mapAt(rule, 'spec')['into']))];
}

function peersProblems(peers: unknown): Finding[] {
  if (peers === undefined) return [];
  const given = givenMembers(peers, ['names', 'selector', 'all']);
  return [
    ...(given.length === 1 ? [] : [notOne('names, selector and all', given)]),
    ...labelListProblems(peers, 'names', 'a peer'),
    ...selectorOf(peers),
  ];
}

function exportsProblems(exports: unknown): Finding[] {
  if (exports === undefined) return [];
  const given = givenMembers(exports, ['namespaces', 'names', 'selector']);
  const isAll = valueAt(exports, 'all') === true;
  const findings: Finding[] = [];
  if (isAll && given.length > 0) {
    const message = `stands alone, but there is ${given.join(' and ')} too`;
    findings.push({ path: ['all'], message, fix: `Delete "all", or delete ${given.join(' and ')}.` });
  }
  if (!isAll && given.length === 0) {
    const message = 'selects nothing: it needs namespaces, names or selector, or all: true';
    findings.push({ path: [], message, fix: 'Say which exports, or write "all: true" for every one of these peers.' });
  }
  return [
    ...findings,
    ...labelListProblems(exports, 'namespaces', 'a namespace'),
    ...labelListProblems(exports, 'names', 'an export'),
    ...selectorOf(exports),
  ];
}

function spaceProblems(into: unknown): Finding[] {
  if (into === undefined) return [];
  const given = givenMembers(into, ['namespace', 'sameNamespace']);
  const namespace = textAt(into, 'namespace');
  return [
    ...(given.length === 1 ? [] : [notOne('namespace and sameNamespace: true', given)]),
    ...(namespace === undefined || isLabel(namespace)
      ? []
      : [{ path: ['namespace'], message: `must be the name of a namespace, is ${quote(namespace)}`, fix: LABEL_FIX }]),
  ];
}

/** Literal parts and placeholders must be able to make a label; whether they do depends on the export. */
function templateProblems(template: string | undefined): Finding[] {
  if (template === undefined) return [];
  const tell = (message: string, fix: string): Finding[] => [{ path: [], message, fix }];
  const words = [...template.matchAll(/\{([^{}]*)\}/g)].map(([, word = '']) => word);
  const strange = words.find((word) => !PLACEHOLDERS.includes(word));
  if (strange !== undefined) {
    const meant = didYouMean(strange, PLACEHOLDERS);
    const ask = askWhether(meant === undefined ? undefined : `{${meant}}`);
    return tell(`unknown placeholder ${quote(`{${strange}}`)}${ask}`, 'Use {name}, {namespace} and {peer} only.');
  }
  // A placeholder stands for at least one character, which is a letter or digit.
  if (isLabel(template.replaceAll(/\{[a-z]+\}/g, 'x'))) return [];
  return tell(
    `must make a name of a-z, 0-9 and "-" with at most ${LABEL_CHARS_MAX} characters, is ${quote(template)}`,
    'Write it like {name}, {name}-{peer} or db.',
  );
}

function aliasProblems(aliases: readonly unknown[]): Finding[] {
  return aliases.flatMap((alias, index) => {
    if (typeof alias !== 'string' || isAliasTemplate(alias)) return [];
    const message = `must be a DNS name of two labels or more outside ${DEFINED_ZONES.join(' and ')}, is ${quote(alias)}`;
    return [{ path: [String(index)], message, fix: 'Write it like db.corp.example or {name}.corp.example.' }];
  });
}

/** A peer that is spelt wrong would be weighed like all others without a word. */
function balancedPeerProblems(spec: JsonObject): Finding[] {
  const names = listAt(spec, 'loadBalancing', 'peers').map((peer) => textAt(peer, 'name'));
  const selected = valueAt(spec['peers'], 'names') === undefined ? undefined : listAt(spec, 'peers', 'names');
  return names.flatMap((name, index) => {
    if (name === undefined) return [];
    const tell = (message: string, fix: string): Finding[] => [{ path: [String(index), 'name'], message, fix }];
    if (!isLabel(name)) return tell(`must be the name of a peer, is ${quote(name)}`, fixOf(name));
    if (names.indexOf(name) < index) return tell(`has peer ${quote(name)} twice`, 'Keep one entry for each peer.');
    if (selected === undefined || selected.includes(name)) return [];
    const listed = selected.filter((peer) => typeof peer === 'string');
    const ask = askWhether(didYouMean(name, listed));
    return tell(
      `the rule selects no peer ${quote(name)}${ask}`,
      'Write a name that spec.peers.names has, or add it there.',
    );
  });
}

/** The empty prefix lets all keys in. */
function prefixProblems(prefixes: readonly unknown[]): Finding[] {
  return prefixes.flatMap((prefix, index) => {
    if (typeof prefix !== 'string' || /^[A-Za-z0-9._/-]{0,317}$/.test(prefix)) return [];
    const message = `no key begins with ${quote(prefix)}`;
    return [{ path: [String(index)], message, fix: 'Write the beginning of keys, for example team.example/; no "*".' }];
  });
}

function labelListProblems(map: unknown, member: string, what: string): Finding[] {
  return listAt(map, member).flatMap((name, index) =>
    typeof name !== 'string' || isLabel(name)
      ? []
      : [
          {
            path: [member, String(index)],
            message: `must be the name of ${what}, is ${quote(name)}`,
            fix: fixOf(name),
          },
        ],
  );
}

function fixOf(name: string): string {
  return name.includes('*') ? 'Patterns are not possible: list the names, or use all: true or a selector.' : LABEL_FIX;
}

function selectorOf(map: unknown): Finding[] {
  const selector = valueAt(map, 'selector');
  return selector === undefined ? [] : below(['selector'], selectorProblems(selector));
}

/** `all: false` says nothing. */
function givenMembers(map: unknown, members: readonly string[]): string[] {
  return members.filter((member) => ![undefined, false].includes(valueAt(map, member) as undefined | false));
}

function notOne(members: string, given: readonly string[]): Finding {
  const has = given.length === 0 ? 'none' : given.join(' and ');
  return {
    path: [],
    message: `needs exactly one of ${members}, has ${has}`,
    fix: `Keep or add exactly one of ${members}.`,
  };
}
