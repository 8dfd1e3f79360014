/**
 * Writes `src/api/generated/*.ts`, a typed model for each kind, from the schemas in `crds/` and `src/api/builtin/`.
 *
 * Only the storage version is generated: the store converts older served versions on entry. With `--check` nothing is
 * written and the exit code says whether the files are current.
 */
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { format, resolveConfig } from 'prettier';
import { parse } from 'yaml';

interface Schema {
  type?: string;
  description?: string;
  enum?: string[];
  required?: string[];
  properties?: Record<string, Schema>;
  additionalProperties?: Schema;
  items?: Schema;
  'x-kubernetes-preserve-unknown-fields'?: boolean;
  'x-kubernetes-int-or-string'?: boolean;
}
interface Definition {
  spec: {
    group: string;
    names: { kind: string };
    versions: { name: string; storage: boolean; schema: { openAPIV3Schema: Schema } }[];
  };
}

const OUTPUT = 'src/api/generated';
const pascal = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
const singular = (text: string): string =>
  text.endsWith('ies') ? `${text.slice(0, -3)}y` : text.endsWith('sses') ? text.slice(0, -2) : text.replace(/s$/, '');

/** Collects named interfaces; nested objects get the name of their path, list items the singular of it. */
class ModelWriter {
  readonly interfaces: string[] = [];
  usesCondition = false;

  typeOf(schema: Schema, name: string): string {
    if (schema['x-kubernetes-int-or-string']) return 'number | string';
    if (schema['x-kubernetes-preserve-unknown-fields']) return 'Record<string, unknown>';
    if (schema.enum) return schema.enum.map((value) => `'${value}'`).join(' | ');
    switch (schema.type) {
      case 'string':
        return 'string';
      case 'integer':
      case 'number':
        return 'number';
      case 'boolean':
        return 'boolean';
      case 'array': {
        const items = schema.items ?? {};
        const item = this.typeOf(items, singular(name));
        return item.includes('|') ? `(${item})[]` : `${item}[]`;
      }
      case 'object':
        if (schema.additionalProperties) return `Record<string, ${this.typeOf(schema.additionalProperties, name)}>`;
        this.writeInterface(schema, name);
        return name;
      default:
        throw new Error(`${name}: a schema without a type this generator knows: ${JSON.stringify(schema)}`);
    }
  }

  writeInterface(schema: Schema, name: string): void {
    const required = new Set(schema.required ?? []);
    const fields = Object.entries(schema.properties ?? {}).map(([field, child]) => {
      const isConditions = field === 'conditions' && child.items?.properties?.['lastTransitionTime'] !== undefined;
      if (isConditions) this.usesCondition = true;
      const type = isConditions ? 'Condition[]' : this.typeOf(child, name + pascal(field));
      const comment = child.description ? `/** ${child.description} */\n` : '';
      return `${comment}${field}${required.has(field) ? '' : '?'}: ${type};`;
    });
    this.interfaces.push(`export interface ${name} {\n${fields.join('\n')}\n}`);
  }
}

function generate(definition: Definition, source: string): { file: string; text: string } {
  const { group, names, versions } = definition.spec;
  const version = versions.find((candidate) => candidate.storage);
  if (!version) throw new Error(`${source}: no storage version`);
  const { kind } = names;
  const schema = version.schema.openAPIV3Schema;
  const writer = new ModelWriter();
  const required = new Set(schema.required ?? []);
  const members = Object.entries(schema.properties ?? {})
    .filter(([field]) => !['apiVersion', 'kind', 'metadata'].includes(field))
    .map(
      ([field, child]) => `${field}${required.has(field) ? '' : '?'}: ${writer.typeOf(child, kind + pascal(field))};`,
    );
  const apiVersion = group === '' ? version.name : `${group}/${version.name}`;
  const text = `// Generated from ${source} by "npm run models". Do not edit.
import { createTypeMetaGuard, Model, setValidateFunc, type ModelData } from '@kubernetes-models/base';
import type { ${writer.usesCondition ? 'Condition, ' : ''}ObjectMeta } from '../object.ts';
import { validateModel } from '../schema.ts';

${writer.interfaces.join('\n\n')}

/** ${schema.description ?? kind} */
export interface I${kind} {
  apiVersion: '${apiVersion}';
  kind: '${kind}';
  metadata?: ObjectMeta;
  ${members.join('\n  ')}
}

export interface ${kind} extends I${kind} {}
export class ${kind} extends Model<I${kind}> {
  static readonly apiVersion = '${apiVersion}' as const;
  static readonly kind = '${kind}' as const;
  static readonly is = createTypeMetaGuard<I${kind}>(${kind});

  constructor(data?: ModelData<I${kind}>) {
    super();
    this.setDefinedProps({ apiVersion: ${kind}.apiVersion, kind: ${kind}.kind, ...data } as ModelData<I${kind}>);
  }
}
setValidateFunc(${kind}, validateModel(${kind}));
`;
  return { file: `${OUTPUT}/${kind}.ts`, text };
}

const prettierOptions = { ...(await resolveConfig('src/main.ts')), parser: 'typescript' as const };
const check = process.argv.includes('--check');
const stale: string[] = [];
mkdirSync(OUTPUT, { recursive: true });
for (const source of globSync(['crds/*.yaml', 'src/api/builtin/*.yaml']).sort()) {
  const { file, text } = generate(parse(readFileSync(source, 'utf8')) as Definition, source);
  const wanted = await format(text, prettierOptions);
  const present = globSync(file).length > 0 ? readFileSync(file, 'utf8') : '';
  if (present === wanted) continue;
  stale.push(file);
  if (!check) writeFileSync(file, wanted);
}
if (check && stale.length > 0) {
  console.error(`Not what the schemas say: ${stale.join(', ')}. Fix: npm run models`);
  process.exit(1);
}
console.log(`models: ${stale.length} ${check ? 'stale' : 'written'}`);
