/**
 * Who owns which field of an object: the semantics of server-side apply, on values alone.
 *
 * Instead of sets of paths this keeps what each manager applied last. The object is the union of these configurations,
 * and they never contradict each other: that is the invariant that {@link applyConfiguration} keeps. So a field that its
 * last owner leaves out is gone without further bookkeeping, and a field that two managers gave equally is co-owned.
 *
 * Maps merge by key. A list is one value, but for those of {@link KEYED_LISTS}, whose items merge by their key
 * (the lists that the CRDs declare as `x-kubernetes-list-type: map`).
 */
import { compareText } from '../api/object.ts';
import { isJsonMap, sameJson, type Json, type JsonMap } from './json.ts';

/** What each field manager applied last. */
export type Configurations = Readonly<Record<string, JsonMap>>;

/** A field that another manager owns with another value. */
export interface FieldConflict {
  /** For people: `.spec.ports`, `.metadata.labels["a/b"]`, `.status.conditions[type="Ready"].status`. */
  readonly field: string;
  readonly owner: string;
}

export interface ApplyRequest {
  readonly manager: string;
  readonly configuration: JsonMap;
  /** Whether others lose the fields that conflict. */
  readonly force: boolean;
}

/** Conflicts are empty after a forced apply; while there are any, nothing was applied. */
export interface ApplyOutcome {
  readonly configurations: Configurations;
  readonly conflicts: readonly FieldConflict[];
}

/** Path of a list -> the member that identifies its items. */
const KEYED_LISTS: ReadonlyMap<string, string> = new Map([
  ['.status.conditions', 'type'],
  ['.status.clusters', 'cluster'],
  ['.status.gateways', 'name'],
]);

/** A configuration as a tree: an inner node is a map or a keyed list, a leaf is owned as a whole. */
type Tree = Leaf | Branch;
interface Leaf {
  readonly leaf: Json;
}
interface Branch {
  /** The member that identifies the items of a keyed list; absent for a map. */
  readonly itemKey?: string;
  readonly children: ReadonlyMap<string, Tree>;
}

export function applyConfiguration(present: Configurations, request: ApplyRequest): ApplyOutcome {
  const mine = toTree(request.configuration);
  const others = Object.entries(present).filter(([manager]) => manager !== request.manager);
  const conflicts = others.flatMap(([owner, configuration]) =>
    conflictingFields(mine, toTree(configuration)).map((field) => ({ field, owner })),
  );
  if (conflicts.length > 0 && !request.force) return { configurations: present, conflicts };
  const losers = new Set(conflicts.map(({ owner }) => owner));
  const kept = others.map(([manager, configuration]): [string, JsonMap] => [
    manager,
    losers.has(manager) ? withoutConflicts(configuration, mine) : configuration,
  ]);
  const configurations = [...kept, [request.manager, request.configuration] as const]
    // A manager that owns nothing is forgotten, or every name that ever wrote would stay for good.
    .filter(([, configuration]) => Object.keys(configuration).length > 0)
    .sort(([a], [b]) => compareText(a, b));
  return { configurations: Object.fromEntries(configurations), conflicts: [] };
}

/** The object that these configurations make; the same whatever order they were applied in. */
export function mergeConfigurations(configurations: Configurations): JsonMap {
  const trees = Object.keys(configurations)
    .sort(compareText)
    .map((manager) => toTree(configurations[manager] ?? {}));
  return fromTree(trees.reduce(mergeTrees, { children: new Map() })) as JsonMap;
}

function isBranch(tree: Tree): tree is Branch {
  return 'children' in tree;
}

/** Two branches of one sort, whose children can be compared one by one. */
function areAlike(a: Tree, b: Tree): boolean {
  return isBranch(a) && isBranch(b) && a.itemKey === b.itemKey;
}

function toTree(value: Json, path = ''): Tree {
  if (isJsonMap(value)) {
    return { children: new Map(Object.entries(value).map(([key, child]) => [key, toTree(child, path + step(key))])) };
  }
  const itemKey = KEYED_LISTS.get(path);
  const children = Array.isArray(value) && itemKey !== undefined ? itemsByKey(value, itemKey, path) : undefined;
  return itemKey === undefined || children === undefined ? { leaf: value } : { itemKey, children };
}

/** Undefined when an item has no key of its own: then the list is one value, and the schema will say what is wrong. */
function itemsByKey(items: readonly Json[], itemKey: string, path: string): Map<string, Tree> | undefined {
  const children = new Map<string, Tree>();
  for (const item of items) {
    const key = isJsonMap(item) ? item[itemKey] : undefined;
    if (typeof key !== 'string' || children.has(key)) return undefined;
    children.set(key, toTree(item, `${path}[]`));
  }
  return children;
}

function fromTree(tree: Tree): Json {
  if (!isBranch(tree)) return tree.leaf;
  if (tree.itemKey !== undefined) return [...tree.children.values()].map(fromTree);
  // Object.fromEntries defines members, so a key called __proto__ stays a key.
  return Object.fromEntries([...tree.children].map(([key, child]) => [key, fromTree(child)]));
}

function conflictingFields(mine: Tree, other: Tree, path = ''): readonly string[] {
  if (!isBranch(mine) || !isBranch(other) || !areAlike(mine, other)) {
    return sameJson(fromTree(mine), fromTree(other)) ? [] : [path === '' ? '.' : path];
  }
  return [...mine.children].flatMap(([key, child]) => {
    const otherChild = other.children.get(key);
    const childPath = path + (mine.itemKey === undefined ? step(key) : `[${mine.itemKey}=${JSON.stringify(key)}]`);
    return otherChild === undefined ? [] : conflictingFields(child, otherChild, childPath);
  });
}

function withoutConflicts(configuration: JsonMap, winner: Tree): JsonMap {
  const rest = subtract(toTree(configuration), winner);
  return rest === undefined ? {} : (fromTree(rest) as JsonMap);
}

/** What is left of a tree without the leaves that the winner gives another value; undefined when nothing is left. */
function subtract(tree: Tree, winner: Tree): Tree | undefined {
  if (!isBranch(tree) || !isBranch(winner) || !areAlike(tree, winner)) {
    return sameJson(fromTree(tree), fromTree(winner)) ? tree : undefined;
  }
  const children = new Map<string, Tree>();
  let hasLost = false;
  for (const [key, child] of tree.children) {
    const winning = winner.children.get(key);
    const kept = winning === undefined ? child : subtract(child, winning);
    const rest = kept !== undefined && tree.itemKey !== undefined && kept !== child ? orNoItem(kept) : kept;
    hasLost ||= rest !== child;
    if (rest !== undefined) children.set(key, rest);
  }
  if (!hasLost) return tree;
  return children.size === 0 ? undefined : { ...tree, children };
}

/** An item that lost everything but its key says nothing any more. */
function orNoItem(item: Tree): Tree | undefined {
  return isBranch(item) && item.children.size <= 1 ? undefined : item;
}

function mergeTrees(a: Tree, b: Tree): Tree {
  // Leaves that meet are equal (the invariant), so either will do.
  if (!isBranch(a) || !isBranch(b) || !areAlike(a, b)) return a;
  const children = new Map(a.children);
  for (const [key, child] of b.children) {
    const present = children.get(key);
    children.set(key, present === undefined ? child : mergeTrees(present, child));
  }
  return { ...a, children };
}

/** One step of a path, as people write it. */
function step(key: string): string {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}
