/**
 * One process to a state folder: the file `lock` names its owner.
 *
 * The owner is a process id and the time that process started (Linux), since ids are used again: in a container nearly
 * everything is process 1. Processes that cannot see each other (two containers with one volume) are not kept apart.
 */
import { randomUUID } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import * as v from 'valibot';
import { AppError } from '../../api/errors.ts';
import { LOCK_ATTEMPTS_MAX, LOCK_RETRY_MS } from '../limits.ts';
import { createFile, replaceFile } from './atomic-file.ts';
import { errorCode } from './io-error.ts';

const LOCK_MODE = 0o600;

/** `started`: boot and start of the process, where the system tells; `nonce` tells the holders of one process apart. */
const OWNER = v.object({
  pid: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  started: v.optional(v.string()),
  nonce: v.string(),
});
type LockOwner = v.InferOutput<typeof OWNER>;

export interface Lock {
  release(): Promise<void>;
}

/** @throws {AppError} `ERR_STATE_LOCKED` while the owner lives. */
export async function acquireLock(folder: string): Promise<Lock> {
  const path = join(folder, 'lock');
  const started = await startOf(process.pid);
  const me = JSON.stringify({ pid: process.pid, ...(started === undefined ? {} : { started }), nonce: randomUUID() });
  for (let attempt = 0; attempt < LOCK_ATTEMPTS_MAX; attempt += 1) {
    if (await hasCreated(path, me)) return { release: () => release(path, me) };
    const holder = await readIfThere(path);
    if (holder === undefined) continue;
    const pid = await livingOwner(holder);
    if (pid !== undefined) throw lockedBy(folder, pid);
    if (await hasTakenOver(path, { stale: holder, me })) return { release: () => release(path, me) };
    await delay(LOCK_RETRY_MS);
  }
  throw lockedBy(folder, undefined);
}

/**
 * Puts our lock in place of a stale one. Two that saw the same stale lock must not both do it, the slower one on top of
 * the faster one's: so this is done under a claim, and the stale lock is compared again. (A claim whose owner died is
 * removed without such care: that takes a crash within these few lines and two starts at one instant.)
 */
async function hasTakenOver(path: string, { stale, me }: { stale: string; me: string }): Promise<boolean> {
  const claim = `${path}.claim`;
  if (!(await hasCreated(claim, me))) {
    const claimant = await readIfThere(claim);
    const isAbandoned = claimant !== undefined && (await livingOwner(claimant)) === undefined;
    if (isAbandoned) await rm(claim, { force: true });
    return false;
  }
  try {
    if ((await readIfThere(path)) !== stale) return false;
    await replaceFile(path, me, LOCK_MODE);
    return true;
  } finally {
    await rm(claim, { force: true });
  }
}

async function hasCreated(path: string, text: string): Promise<boolean> {
  try {
    await createFile(path, text, LOCK_MODE);
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
}

async function release(path: string, mine: string): Promise<void> {
  if ((await readIfThere(path)) === mine) await rm(path, { force: true });
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** The process that holds a lock; undefined when it is dead, or when the text names nobody since we did not write it. */
async function livingOwner(text: string): Promise<number | undefined> {
  const owner = parseOwner(text);
  return owner !== undefined && (await isAlive(owner)) ? owner.pid : undefined;
}

function parseOwner(text: string): LockOwner | undefined {
  try {
    const owner = v.safeParse(OWNER, JSON.parse(text));
    return owner.success ? owner.output : undefined;
  } catch {
    return undefined;
  }
}

async function isAlive({ pid, started }: LockOwner): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it is there, and somebody else's.
    if (errorCode(error) === 'ESRCH') return false;
  }
  const now = await startOf(pid);
  return started === undefined || now === undefined || now === started;
}

/** Boot id and start time (field 22 of /proc/PID/stat, proc(5)); undefined where there is no /proc. */
async function startOf(pid: number): Promise<string | undefined> {
  try {
    const [boot, stat] = await Promise.all([
      readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
      readFile(`/proc/${pid}/stat`, 'utf8'),
    ]);
    // The second field, the command in parentheses, may hold spaces and parentheses; the third follows the last one.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[19] === undefined ? undefined : `${boot.trim()}:${fields[19]}`;
  } catch {
    return undefined;
  }
}

function lockedBy(folder: string, pid: number | undefined): AppError {
  const holder = pid === undefined ? 'others that start now' : `process ${pid}`;
  return new AppError('ERR_STATE_LOCKED', `state folder ${folder}: in use by ${holder}`, {
    fix: 'Stop that process, or give this one a state folder of its own (--state).',
    ...(pid === undefined ? {} : { details: { pid } }),
  });
}
