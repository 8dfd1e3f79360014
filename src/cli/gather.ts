/**
 * `gather`: what a running peer knows, as one archive for whoever helps. It holds what the admin socket answers and reads no
 * file: keys are not among that, and what looks like one in an object is left out.
 */
import { writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { AppError, formatError } from '../api/errors.ts';
import { COMMON_KINDS } from '../store/caches.ts';
import { GATHER_BYTES_MAX } from './limits.ts';
import { redact, redactText } from './redact.ts';
import { makeTar, type TarEntry } from './tar.ts';

export interface GatherOptions {
  /** Asks the running peer: a route, and its body. */
  ask(route: `${'GET' | 'POST'} ${string}`, body?: unknown): Promise<unknown>;
  /** What this program is. */
  readonly version: string;
  readonly now: Date;
  /** Tests lower it. */
  readonly bytesMax?: number;
}

export interface Gathered {
  /** tar, gzip. */
  readonly archive: Buffer;
  /** Names of files that are in it. */
  readonly files: readonly string[];
  /** What is not, and why. */
  readonly missing: readonly string[];
}

interface Part {
  readonly name: string;
  readonly route: `${'GET' | 'POST'} ${string}`;
  readonly body?: unknown;
}

/** The most telling ones come first: what is too much is left out at the end. */
const PARTS: readonly Part[] = [
  { name: 'status.json', route: 'GET /status' },
  { name: 'fabric.json', route: 'GET /fabric' },
  { name: 'ready.json', route: 'GET /ready' },
  { name: 'closings.json', route: 'GET /closings' },
  { name: 'metrics.txt', route: 'GET /metrics' },
  ...COMMON_KINDS.map((kind) => ({ name: `objects/${kind}.json`, route: 'POST /objects' as const, body: { kind } })),
];

/** @throws {AppError} `ERR_ADMIN_UNREACHABLE` when nobody answers. A part that fails is told in the archive. */
export async function gather({ ask, version, now, bytesMax = GATHER_BYTES_MAX }: GatherOptions): Promise<Gathered> {
  const entries: TarEntry[] = [];
  const missing: string[] = [];
  let bytes = 0;
  for (const { name, route, body } of PARTS) {
    try {
      const content = Buffer.from(toText(await ask(route, body)));
      if (bytes + content.length > bytesMax) {
        missing.push(`${name}: ${content.length} bytes are more than there is room for`);
        continue;
      }
      bytes += content.length;
      entries.push({ name, content });
    } catch (error) {
      if (!(error instanceof AppError) || error.code === 'ERR_ADMIN_UNREACHABLE') throw error;
      missing.push(`${name}: ${redactText(formatError(error))}`);
    }
  }
  const { node, openssl } = process.versions;
  const about = {
    gathered: now.toISOString(),
    version,
    node,
    openssl,
    platform: `${process.platform} ${process.arch}`,
    missing,
  };
  entries.unshift({ name: 'about.json', content: Buffer.from(toText(about)) });
  const archive = await promisify(gzip)(makeTar(entries, Math.floor(now.getTime() / 1000)));
  return { archive, files: entries.map(({ name }) => name), missing };
}

/** Names, addresses and policies of an owner are in it: for this user alone, and never over another file. */
export async function writeArchive(path: string, archive: Buffer): Promise<void> {
  try {
    await writeFile(path, archive, { mode: 0o600, flag: 'wx' });
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown';
    if (code === 'EEXIST') {
      throw new AppError('ERR_ALREADY_EXISTS', `${path}: is there`, { cause, fix: 'choose another --out' });
    }
    throw new AppError('ERR_USAGE', `--out ${path}: cannot be written (${code})`, {
      cause,
      fix: 'choose another place',
    });
  }
}

function toText(answer: unknown): string {
  return typeof answer === 'string' ? redactText(answer) : `${JSON.stringify(redact(answer), null, 2)}\n`;
}
