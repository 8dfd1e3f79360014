/**
 * The schemas of all kinds, from crds/ and src/api/builtin/, compiled when first asked for.
 *
 * An OpenAPI schema of a CRD says less than it means: here maps are closed, metadata is ObjectMeta, and the kind is fixed.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { Ajv, type ValidateFunction } from 'ajv';
import { parse } from 'yaml';
import { isMap, listAt, mapAt, textAt, type JsonObject } from './json.ts';
import { OBJECT_META_SCHEMA } from './object-meta-schema.ts';
import { isTimestamp } from './timestamp.ts';

const FOLDERS = [new URL('../../../crds/', import.meta.url), new URL('../builtin/', import.meta.url)];
const INT32_MAX = 2 ** 31 - 1;

let schemas: ReadonlyMap<string, JsonObject> | undefined;
const validators = new Map<string, ValidateFunction>();
let ajv: Ajv | undefined;

/**
 * @param kind - one of `KINDS` (not imported: the models of the kinds import this).
 * @throws when no such kind has a schema, or a schema has a keyword that is not understood: both are bugs.
 */
export function validatorOf(kind: string): ValidateFunction {
  const known = validators.get(kind);
  if (known !== undefined) return known;
  schemas ??= loadSchemas();
  const schema = schemas.get(kind);
  if (schema === undefined) throw new Error(`No schema for kind ${kind}`);
  ajv ??= makeAjv();
  const validator = ajv.compile(schema);
  validators.set(kind, validator);
  return validator;
}

function loadSchemas(): ReadonlyMap<string, JsonObject> {
  const files = FOLDERS.flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.endsWith('.yaml'))
      .map((name) => new URL(name, folder)),
  );
  return new Map(files.map((file) => toKindSchema(parse(readFileSync(file, 'utf8')))));
}

function toKindSchema(definition: unknown): [kind: string, schema: JsonObject] {
  const group = textAt(definition, 'spec', 'group') ?? '';
  const kind = textAt(definition, 'spec', 'names', 'kind') ?? '';
  const stored = listAt(definition, 'spec', 'versions').find((version) => mapAt(version)['storage'] === true);
  const version = textAt(stored, 'name') ?? '';
  const root = mapAt(stored, 'schema', 'openAPIV3Schema');
  const properties = {
    ...mapAt(root, 'properties'),
    apiVersion: { type: 'string', const: group === '' ? version : `${group}/${version}` },
    kind: { type: 'string', const: kind },
    metadata: OBJECT_META_SCHEMA,
  };
  const required = ['apiVersion', 'kind', 'metadata', ...listAt(root, 'required')];
  return [kind, toJsonSchema({ ...root, properties, required })];
}

/** One structural schema (Kubernetes, "Specifying a structural schema") as JSON Schema that lets nothing unknown through. */
function toJsonSchema(node: unknown): JsonObject {
  const schema = mapAt(node);
  if (schema['x-kubernetes-int-or-string'] === true) return { type: ['integer', 'string'] };
  const isOpen = schema['x-kubernetes-preserve-unknown-fields'] === true;
  const kept = Object.entries(schema).filter(([key]) => key !== 'description' && !key.startsWith('x-kubernetes-'));
  const { properties, items, additionalProperties, ...rest } = Object.fromEntries(kept);
  const members = Object.entries(mapAt(properties)).map(([name, member]) => [name, toJsonSchema(member)] as const);
  const isClosed = rest['type'] === 'object' && !isOpen;
  return {
    ...rest,
    ...(members.length === 0 ? {} : { properties: Object.fromEntries(members) }),
    ...(items === undefined ? {} : { items: toJsonSchema(items) }),
    ...(isClosed ? { additionalProperties: isMap(additionalProperties) && toJsonSchema(additionalProperties) } : {}),
  };
}

/** Strict: a keyword, a format or a required field that ajv does not know is a bug of a schema, found by the first test. */
function makeAjv(): Ajv {
  return new Ajv({
    allErrors: true,
    strict: true,
    allowUnionTypes: true,
    // Models have methods on their prototype.
    ownProperties: true,
    // The messages are made from the value and from the schema around the rule.
    verbose: true,
    formats: {
      'date-time': isTimestamp,
      int32: { type: 'number', validate: (value) => value >= -INT32_MAX - 1 && value <= INT32_MAX },
      int64: { type: 'number', validate: (value) => Number.isSafeInteger(value) },
    },
  });
}
