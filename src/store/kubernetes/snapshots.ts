/**
 * The last state of some kinds on disk, so that gateways and DNS can start while the API server is down (DESIGN §3, invariant 5).
 *
 * One file a kind: a first line with format, number and digest, then the objects as one JSON list. A file that is not whole,
 * not of this format or not of this cluster is as good as none.
 */
import { createHash } from 'node:crypto';
import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import type { KindName } from '../../api/kinds.ts';
import type { KubeObject } from '../../api/object.ts';
import type { Clock } from '../../runtime/clock.ts';
import { ensureFolder, replaceFile } from '../directory/atomic-file.ts';
import { describeIoError, errorCode } from '../directory/io-error.ts';
import { SNAPSHOT_BYTES_MAX, SNAPSHOT_DEBOUNCE_MS } from './limits.ts';
import type { KubernetesLogger } from './logger.ts';
import { receive, type Received } from './received.ts';

export interface SnapshotOptions {
  /** A folder of this process alone; it is made (0700). */
  readonly folder: string;
  readonly kinds: readonly KindName[];
  /** Whose objects they are, for example the API server's URL: those of another cluster are never used. */
  readonly cluster: string;
}

export interface Snapshots {
  /** What was saved last of this kind; undefined when there is nothing that can be used. */
  load(kind: KindName): Promise<readonly Received[] | undefined>;
  /** Saves soon, what the kind then has; calls until then are one. */
  changed(kind: KindName, list: () => readonly KubeObject[]): void;
  /** Saves what is due. */
  close(): Promise<void>;
}

const FORMAT = 1;
const HEADER = v.object({
  format: v.literal(FORMAT),
  cluster: v.string(),
  kind: v.string(),
  sha256: v.string(),
  savedAt: v.string(),
});
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

export interface SnapshotDependencies {
  readonly clock: Clock;
  readonly logger: KubernetesLogger;
  readonly wallMs?: () => number;
}

export function makeSnapshots(options: SnapshotOptions, dependencies: SnapshotDependencies): Snapshots {
  const { folder, kinds, cluster } = options;
  const { clock, logger, wallMs = Date.now } = dependencies;
  const due = new Map<KindName, () => readonly KubeObject[]>();
  let cancel: (() => void) | undefined;
  let saving: Promise<void> = Promise.resolve();
  let complaint = '';
  let isClosed = false;
  const pathOf = (kind: KindName): string => join(folder, `${kind}.json`);

  function schedule(): void {
    cancel ??= clock.after(SNAPSHOT_DEBOUNCE_MS, () => {
      cancel = undefined;
      saving = saving.then(saveDue);
    });
  }

  async function saveDue(): Promise<void> {
    for (const [kind, list] of [...due]) {
      due.delete(kind);
      try {
        const text = toText({ kind, cluster, savedAt: new Date(wallMs()).toISOString() }, list());
        await ensureFolder(folder, FOLDER_MODE);
        await replaceFile(pathOf(kind), text, FILE_MODE);
        complaint = '';
      } catch (error) {
        complain(kind, describeIoError(error));
        if (isClosed) continue;
        due.set(kind, list);
        schedule();
      }
    }
  }

  /** Once for each cause: a full disk stays full for a while. */
  function complain(kind: KindName, why: string): void {
    if (why !== complaint) logger.warn({ kind, folder, why }, 'Last state was not saved');
    complaint = why;
  }

  return {
    async load(kind) {
      if (!kinds.includes(kind)) return undefined;
      try {
        const text = await readBounded(pathOf(kind));
        const { objects, savedAt } = parseText(text, { kind, cluster });
        logger.warn({ kind, savedAt, objects: objects.length }, 'Last saved state is used: API server does not answer');
        return objects;
      } catch (error) {
        if (errorCode(error) !== 'ENOENT')
          logger.warn({ kind, why: describeIoError(error) }, 'Saved state cannot be used');
        return undefined;
      }
    },
    changed(kind, list) {
      if (isClosed || !kinds.includes(kind)) return;
      due.set(kind, list);
      schedule();
    },
    async close() {
      isClosed = true;
      cancel?.();
      saving = saving.then(saveDue);
      await saving;
    },
  };
}

interface Header {
  readonly kind: KindName;
  readonly cluster: string;
  readonly savedAt: string;
}

function toText(header: Header, objects: readonly KubeObject[]): string {
  const body = JSON.stringify(objects);
  return `${JSON.stringify({ format: FORMAT, ...header, sha256: digestOf(body) })}\n${body}`;
}

/** @throws when anything of it is not as it was written. */
function parseText(text: string, { kind, cluster }: Omit<Header, 'savedAt'>) {
  const end = text.indexOf('\n');
  const header = v.parse(HEADER, JSON.parse(text.slice(0, Math.max(0, end))));
  const body = text.slice(end + 1);
  if (header.kind !== kind || header.cluster !== cluster) throw new Error('it is of another kind or cluster');
  if (header.sha256 !== digestOf(body)) throw new Error('its digest is not that of its objects');
  const items = JSON.parse(body) as unknown[];
  return {
    savedAt: header.savedAt,
    objects: items.map((item) => receive(kind, item)).filter((received) => received !== undefined),
  };
}

async function readBounded(path: string): Promise<string> {
  const { size } = await stat(path);
  if (size > SNAPSHOT_BYTES_MAX) throw new Error(`it has more than ${SNAPSHOT_BYTES_MAX} bytes`);
  const file = await open(path, 'r');
  try {
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
