/** What a schema found wrong, in sentences. */
import type { ErrorObject } from 'ajv';
import { askWhether, didYouMean } from './did-you-mean.ts';
import type { Finding } from './finding.ts';
import { isMap, listAt, mapAt, type JsonObject } from './json.ts';
import { LISTED_NAMES_MAX } from './limits.ts';
import { quote, quoteAll, scalarText } from './quote.ts';

type Sentence = Omit<Finding, 'path'> & { readonly member?: string };

/** @param error - of a validator with `verbose`: value and surrounding schema are in it. */
export function toFinding(error: ErrorObject): Finding {
  const path = error.instancePath
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  const { member, message, fix } = toSentence(error);
  return { path: member === undefined ? path : [...path, member], message, fix };
}

function toSentence({ keyword, params, data, parentSchema, message }: ErrorObject): Sentence {
  const schema = mapAt(parentSchema);
  switch (keyword) {
    case 'additionalProperties':
      return unknownField(String(mapAt(params)['additionalProperty']), schema);
    case 'required':
      return missingField(String(mapAt(params)['missingProperty']), schema);
    case 'type':
      return wrongType(data, schema);
    case 'enum':
    case 'const':
      return notListed(data, keyword === 'enum' ? listAt(schema, 'enum') : [schema['const']]);
    case 'minimum':
    case 'maximum':
    case 'format':
      return outOfRange(data, schema);
    case 'minItems':
    case 'maxItems':
      return wrongCount(schema[keyword], { isTooFew: keyword === 'minItems', what: 'item', has: listLength(data) });
    case 'minLength':
    case 'maxLength':
      return wrongCount(schema[keyword], {
        isTooFew: keyword === 'minLength',
        what: 'character',
        has: textLength(data),
      });
    case 'pattern':
      return {
        message: `does not have the form that is needed, is ${quote(data)}`,
        fix: `Use a value that matches ${String(schema['pattern'])}.`,
      };
    default:
      return { message: message ?? `breaks the rule "${keyword}"`, fix: 'Correct it as the schema of the kind says.' };
  }
}

function unknownField(member: string, schema: JsonObject): Sentence {
  const known = Object.keys(mapAt(schema, 'properties'));
  const meant = didYouMean(member, known);
  const list = known.length === 0 ? 'nothing can stand here' : `known here: ${quoteAll(known, LISTED_NAMES_MAX)}`;
  return {
    member,
    message: `unknown field ${quote(member)}${askWhether(meant)}`,
    fix: meant === undefined ? `Delete it (${list}).` : `Rename it to "${meant}", or delete it.`,
  };
}

function missingField(member: string, schema: JsonObject): Sentence {
  return { member, message: 'is missing', fix: `Add "${member}": ${describe(mapAt(schema, 'properties', member))}.` };
}

function wrongType(data: unknown, schema: JsonObject): Sentence {
  const expected = describe(schema);
  if (data === null)
    return { message: `has no value, must be ${expected}`, fix: 'Give it a value, or delete the line.' };
  const message = `must be ${expected}, is ${quoteTyped(data)}`;
  const types = [schema['type']].flat();
  if (types.includes('string') && !isCollection(data))
    return { message, fix: `Put it in quotes: "${scalarText(data)}".` };
  if (typeof data === 'string' && types.includes('integer') && /^\d+$/.test(data)) {
    return { message, fix: 'Write it without quotes.' };
  }
  if (types.includes('array')) return { message, fix: 'Write a list: each item on a line that begins with "- ".' };
  if (types.includes('object')) return { message, fix: 'Write a map: lines of "key: value" below it.' };
  return { message, fix: `Put ${expected} here.` };
}

function notListed(data: unknown, allowed: readonly unknown[]): Sentence {
  const meant = typeof data === 'string' ? didYouMean(data, allowed.filter(isText)) : undefined;
  const [first] = allowed;
  if (allowed.length === 1)
    return { message: `must be ${quote(first)}, is ${quote(data)}`, fix: `Use ${quote(first)}.` };
  const list = quoteAll(allowed, LISTED_NAMES_MAX);
  return {
    message: `must be one of ${list}, is ${quote(data)}${askWhether(meant)}`,
    fix: meant === undefined ? `Use one of ${list}.` : `Use "${meant}".`,
  };
}

function outOfRange(data: unknown, schema: JsonObject): Sentence {
  return { message: `must be ${describe(schema)}, is ${quote(data)}`, fix: `Put ${describe(schema)} here.` };
}

interface Count {
  readonly isTooFew: boolean;
  readonly what: string;
  readonly has: number;
}

function wrongCount(bound: unknown, { isTooFew, what, has }: Count): Sentence {
  const message = `must have at ${isTooFew ? 'least' : 'most'} ${String(bound)} ${what}${bound === 1 ? '' : 's'}, has ${has}`;
  return { message, fix: isTooFew ? 'Add what is missing, or delete the field.' : 'Shorten it, or split the object.' };
}

/** What a schema wants, with an article: `a number between 1 and 65535`. */
function describe(schema: JsonObject): string {
  const { type, format, enum: listed, minimum, maximum } = schema;
  if (Array.isArray(listed)) return `one of ${quoteAll(listed, LISTED_NAMES_MAX)}`;
  if (format === 'date-time') return 'a time such as 2026-11-20T10:00:00Z';
  if (type === 'integer' && typeof minimum === 'number') {
    return typeof maximum === 'number' ? `a number between ${minimum} and ${maximum}` : `a number not below ${minimum}`;
  }
  if (type === 'integer' && format === 'int32') return 'a number between -2147483648 and 2147483647';
  if (Array.isArray(type)) return type.map((each) => describe({ type: each as unknown })).join(' or ');
  const words = { string: 'text', integer: 'a whole number', number: 'a number', boolean: 'true or false' };
  const word = Object.entries(words).find(([name]) => name === type)?.[1];
  return word ?? (type === 'array' ? 'a list' : 'a map');
}

function quoteTyped(data: unknown): string {
  return typeof data === 'string' ? `the text ${quote(data)}` : quote(data);
}

function isCollection(data: unknown): boolean {
  return Array.isArray(data) || isMap(data);
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function listLength(data: unknown): number {
  return Array.isArray(data) ? data.length : 0;
}

/** In code points, as JSON Schema counts. */
function textLength(data: unknown): number {
  return typeof data === 'string' ? [...data].length : 0;
}
