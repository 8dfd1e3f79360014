/**
 * Fields that we write and the served schema does not have: a CRD that somebody else installed may be older than ours (CRD-18).
 * The API server refuses such a patch as a whole, so they are left out.
 */
import { schemaErrors } from '../../api/schema.ts';
import type { KindName } from '../../api/kinds.ts';
import { isJsonMap, type Json, type JsonMap } from '../json.ts';

/** `.status.clusters[cluster="east"].x` as steps; what stands in brackets means every item alike, since one schema holds for all. */
export function parseFieldPath(path: string): readonly string[] | undefined {
  const steps: string[] = [];
  for (let rest = path; rest !== '';) {
    const [whole, name, key] = /^(?:\.([^.[\]]+)|\[((?:"(?:[^"\\]|\\.)*"|[^\]"])*)\])/.exec(rest) ?? [];
    if (whole === undefined) return undefined;
    steps.push(name ?? (key === undefined ? '' : ITEMS));
    rest = rest.slice(whole.length);
  }
  return steps.length === 0 ? undefined : steps;
}
const ITEMS = '[]';

/** Whether our own schema has no such field either: then the object is wrong, not the server old. */
export function isUnknownHere(kind: KindName, object: unknown, path: string): boolean {
  const steps = parseFieldPath(path);
  if (steps === undefined) return true;
  const shape = steps.join('/');
  return schemaErrors(kind, object).some(({ path: found }) => {
    const foundShape = found.map((step) => (/^\d+$/.test(step) ? ITEMS : step)).join('/');
    return shape === foundShape || shape.startsWith(`${foundShape}/`);
  });
}

export function withoutFields(object: JsonMap, paths: Iterable<string>): JsonMap {
  let rest: Json = object;
  for (const path of paths) {
    const steps = parseFieldPath(path);
    if (steps !== undefined) rest = without(rest, steps);
  }
  return rest as JsonMap;
}

function without(value: Json, [step, ...below]: readonly string[]): Json {
  if (step === undefined) return value;
  if (Array.isArray(value)) {
    const items = value as readonly Json[];
    return step === ITEMS ? items.map((item) => without(item, below)) : items;
  }
  if (!isJsonMap(value) || !Object.hasOwn(value, step)) return value;
  const members = Object.entries(value);
  if (below.length === 0) return Object.fromEntries(members.filter(([key]) => key !== step));
  return Object.fromEntries(members.map(([key, child]) => [key, key === step ? without(child, below) : child]));
}
