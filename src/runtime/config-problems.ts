/** From the schema's issues to one error that a person can act on. Pure. */
import type { BaseIssue } from 'valibot';
import { AppError } from '../api/errors.ts';
import type { GatheredSettings } from './config-sources.ts';
import { closestWord } from './did-you-mean.ts';
import { CONFIG_PROBLEMS_MAX } from './limits.ts';
import { settingOf, SETTINGS } from './settings.ts';

/** Of a value that is wrong, as much as helps to find it. */
const SHOWN_CHARACTERS_MAX = 60;

/** `ERR_CONFIG` that lists the problems, and the remedy of the first. */
export function describeIssues(issues: readonly BaseIssue<unknown>[], gathered: GatheredSettings): AppError {
  const problems = issues.slice(0, CONFIG_PROBLEMS_MAX).map((issue) => describeIssue(issue, gathered));
  const more = issues.length > problems.length ? `; and ${issues.length - problems.length} more` : '';
  return new AppError('ERR_CONFIG', problems.map(({ text }) => text).join('; ') + more, {
    fix: problems[0]?.fix ?? 'correct the configuration',
    details: { problems: issues.length },
  });
}

function describeIssue(
  issue: BaseIssue<unknown>,
  { origins, position }: GatheredSettings,
): { text: string; fix: string } {
  const path = (issue.path ?? []).map(({ key }) => String(key));
  const key = path.join('.');
  const setting = settingOf(path);
  const origin = setting === undefined ? undefined : origins.get(setting.key);
  const isMember = issue.kind === 'schema' && issue.type === 'strict_object';
  if (isMember && issue.expected === 'never') return describeUnknownKey(path, position(path));
  if (isMember && issue.received === 'undefined') {
    const fix =
      setting === undefined ? `give ${key}` : `set "${setting.example}" in the file, ${setting.env} or ${setting.flag}`;
    return { text: `${key}: is missing`, fix };
  }
  const where = origin ?? position(path);
  const given = setting?.secret === true ? '' : `${show(issue.input)} `;
  const what = issue.kind === 'schema' ? `is not ${nameOf(issue.expected)}` : given + issue.message;
  const text = where === undefined ? `${key}: ${what}` : `${where}: ${key}: ${what}`;
  return { text, fix: setting === undefined ? 'correct it' : `write it like this: ${setting.example}` };
}

function describeUnknownKey(path: readonly string[], where: string | undefined): { text: string; fix: string } {
  const key = path.join('.');
  const guess = guessKey(path);
  const fix =
    guess === undefined
      ? 'remove it; the settings are listed by "npx clusterlink-mcs run --help"'
      : `did you mean ${guess}?`;
  return { text: `${where === undefined ? '' : `${where}: `}${key}: is not a setting`, fix };
}

/** The nearest name in the same mapping, else a setting of that name elsewhere. */
function guessKey(path: readonly string[]): string | undefined {
  const parent = path.slice(0, -1);
  const last = path.at(-1) ?? '';
  const prefix = parent.map((step) => `${step}.`).join('');
  const siblings = SETTINGS.filter(({ key }) => key.startsWith(prefix)).map(
    ({ key }) => key.slice(prefix.length).split('.')[0] ?? '',
  );
  const sibling = closestWord(last, siblings);
  if (sibling !== undefined) return prefix + sibling;
  return SETTINGS.find(({ key }) => key.endsWith(`.${last}`))?.key;
}

/** valibot's names of types, in plain words. */
function nameOf(expected: string | null): string {
  switch (expected) {
    case 'Object':
      return 'a mapping';
    case 'Array':
      return 'a list';
    case 'string':
      return 'text (put it in quotes)';
    case 'number':
      return 'a number';
    default:
      return (expected ?? 'what is expected').replaceAll(/[()"]/g, '').replaceAll(' |', ',');
  }
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > SHOWN_CHARACTERS_MAX ? `${text.slice(0, SHOWN_CHARACTERS_MAX)}...` : text;
}
