/** The manifests that `test policy` is given: folders, files, or standard input; read whole, or not at all. */
import { open, stat } from 'node:fs/promises';
import { AppError } from '../api/errors.ts';
import type { IAccessPolicy } from '../api/generated/AccessPolicy.ts';
import type { IBaselineAccessPolicy } from '../api/generated/BaselineAccessPolicy.ts';
import type { IPeer } from '../api/generated/Peer.ts';
import type { IPrivilegedAccessPolicy } from '../api/generated/PrivilegedAccessPolicy.ts';
import { compareText, describeObject, formatKey, keyOf, type KubeObject } from '../api/object.ts';
import { parseExportTo } from '../catalogue/annotations.ts';
import type { Self } from '../gateway/decisions.ts';
import type { ExportRoute } from '../gateway/messages.ts';
import { toRoutes } from '../gateway/routes.ts';
import { desiredSnapshot } from '../gateway/snapshot.ts';
import { readPolicies, type PolicySources } from '../policy/read.ts';
import { describeIoError } from '../store/directory/io-error.ts';
import { parseManifestFile, type ManifestObject, type Problem } from '../store/directory/manifest.ts';
import { MANIFEST_BYTES_MAX } from '../store/limits.ts';
import { readManifests, type ReadManifests } from './check.ts';
import type { TestWorld } from './test-policy.ts';

/** Opened only where it is asked for. */
type StandardInput = () => AsyncIterable<Uint8Array>;

/** Standard input, as a path. */
const STDIN = '-';
/** Both kinds are exports, whatever else they say. */
const EXPORT_KINDS = ['ServiceExport', 'Export'];

export interface GivenManifests {
  /** The first of each name, as in a store. */
  readonly objects: readonly KubeObject[];
  /** Of objects that are in force as they stand: a policy that cannot be evaluated fails closed. */
  readonly problems: readonly Problem[];
}

/**
 * @param paths - folders, files, or `-`.
 * @throws {AppError} `ERR_USAGE` or `ERR_CONFIG` when something cannot be read: half of the policies would give a wrong answer.
 */
export async function readGivenManifests(
  paths: readonly string[],
  stdin: StandardInput = () => process.stdin,
): Promise<GivenManifests> {
  const objects = new Map<string, ManifestObject>();
  const problems: Problem[] = [];
  for (const path of paths) {
    const read = await readPath(path, stdin);
    problems.push(...read.problems);
    if (read.rejected.length > 0 || !read.complete) throw unreadError(path, read);
    for (const at of read.objects) {
      const name = describeObject(at.object);
      if (!objects.has(name)) objects.set(name, at);
    }
  }
  return { objects: [...objects.values()].map(({ object }) => object), problems };
}

async function readPath(path: string, stdin: StandardInput): Promise<ReadManifests> {
  if (path === STDIN) return parseText('standard input', await readBounded(stdin(), path));
  try {
    if ((await stat(path)).isDirectory()) return await readManifests(path);
    await using file = await open(path);
    return parseText(path, await readBounded(file.createReadStream({ autoClose: false }), path));
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw new AppError('ERR_USAGE', `${path}: ${describeIoError(cause)}`, { cause, fix: 'give a file or a folder' });
  }
}

async function readBounded(stream: AsyncIterable<Uint8Array>, path: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    bytes += chunk.byteLength;
    if (bytes > MANIFEST_BYTES_MAX) {
      const fix = 'give policies, peers and exports alone, or several files';
      throw new AppError('ERR_USAGE', `${path}: has more than ${MANIFEST_BYTES_MAX} bytes`, { fix });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseText(path: string, text: string): ReadManifests {
  return { ...parseManifestFile({ path, text }), files: 1 };
}

function unreadError(path: string, { problems, rejected }: ReadManifests): AppError {
  const names = new Set(rejected.map(({ kind, key }) => `${kind} ${formatKey(key)}`));
  const [first] = problems.filter(
    ({ severity, object }) => severity === 'error' && (object === undefined || names.has(object)),
  );
  const where = first === undefined ? path : `${first.file}:${first.line}:${first.column}`;
  const what = [first?.object, first?.field, first?.message ?? 'it is not a manifest'].filter(
    (word) => word !== undefined,
  );
  return new AppError('ERR_USAGE', `${where}: cannot be read: ${what.join(' ')}`, {
    fix: first?.fix ?? 'see "npx clusterlink-mcs check"',
  });
}

/** The policies among them, for `readPolicies`. */
export function policiesOf(objects: readonly KubeObject[]): PolicySources {
  const ofKind = <T extends KubeObject>(kind: T['kind']) => ({
    // The schema of the kind has passed it.
    list: () => objects.filter((object): object is T => object.kind === kind),
  });
  return {
    PrivilegedAccessPolicy: ofKind<IPrivilegedAccessPolicy>('PrivilegedAccessPolicy'),
    AccessPolicy: ofKind<IAccessPolicy>('AccessPolicy'),
    BaselineAccessPolicy: ofKind<IBaselineAccessPolicy>('BaselineAccessPolicy'),
  };
}

/** What a peer of this name would decide with these manifests. */
export function toTestWorld(self: Self, objects: readonly KubeObject[]): TestWorld {
  const snapshot = desiredSnapshot({
    self: self.name,
    bindings: [],
    peers: objects.filter(({ kind }) => kind === 'Peer') as IPeer[],
    catalogue: { entries: [], verdicts: [] },
    policies: readPolicies(policiesOf(objects)),
  });
  return { self, routes: toRoutes({ ...snapshot, version: 1, exports: exportsOf(objects) }), missing: 'assumed' };
}

/** Whether its Service is there is another question: `check` asks it. */
function exportsOf(objects: readonly KubeObject[]): ExportRoute[] {
  return objects
    .filter(({ kind }) => EXPORT_KINDS.includes(kind))
    .map((object) => {
      const exportTo = parseExportTo(object.metadata);
      const labels = object.metadata?.labels ?? {};
      return { ...keyOf(object), uid: '', ports: [], labels, ...(exportTo === undefined ? {} : { exportTo }) };
    })
    .sort((a, b) => compareText(`${a.namespace}/${a.name}`, `${b.namespace}/${b.name}`));
}
