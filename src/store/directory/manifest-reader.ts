/**
 * Reads the manifests folder again and again, each file only when it has changed and come to rest.
 *
 * A file is taken when two looks, FILE_QUIET_MS apart, saw the same size and times, and the reading saw them too. So a
 * file that is being written is rarely read half; when it is, the rules of declarations.ts keep what was good.
 */
import { createHash } from 'node:crypto';
import { COARSE_TIME_MS, FILE_QUIET_MS, FIRST_SCAN_PATIENCE_MS } from '../limits.ts';
import { toFileContent, toUnreadContent, type FileContent } from './declarations.ts';
import { lookAtFolder, readManifest, type FileLook, type FolderLook } from './folder.ts';
import { parseManifestFile } from './manifest.ts';
import type { Problem } from './manifest-types.ts';

export interface ManifestScan {
  /** By path. */
  readonly contents: readonly FileContent[];
  readonly folders: FolderLook['folders'];
  readonly unknown: FolderLook['unknown'];
  /** Whether some file has not come to rest: look again soon. */
  readonly isPending: boolean;
}

export interface ManifestReader {
  /** Calls must not overlap. */
  scan(): Promise<ManifestScan>;
}

/** What is remembered of a file from one scan to the next. */
interface Page {
  readonly content: FileContent;
  /** Of the text that `content` was made from. */
  readonly digest?: string;
  /** The look that the text was read after, and when (wall clock, to compare with file times). */
  readonly takenSignature?: string;
  readonly takenAtMs?: number;
  /** The newest look, and since when (monotonic) all looks are the same. */
  readonly seenSignature?: string;
  readonly seenSinceMs?: number;
  /** Since when (monotonic) there is a change that was not taken. */
  readonly pendingSinceMs?: number;
}

export function makeManifestReader(root: string): ManifestReader {
  let pages: ReadonlyMap<string, Page> = new Map();

  return {
    async scan() {
      const { files, folders, unknown } = await lookAtFolder(root);
      const nowMs = performance.now();
      const next = await Promise.all(files.map((look) => turnPage(root, { look, page: pages.get(look.path), nowMs })));
      pages = new Map(next.map((page) => [page.content.path, page]));
      return {
        contents: next.map((page) => withPatience(page, nowMs)),
        folders,
        unknown,
        isPending: next.some(({ pendingSinceMs }) => pendingSinceMs !== undefined),
      };
    },
  };
}

interface PageTurn {
  readonly look: FileLook;
  readonly page: Page | undefined;
  /** Monotonic. */
  readonly nowMs: number;
}

async function turnPage(root: string, turn: PageTurn): Promise<Page> {
  const { look, page, nowMs } = turn;
  const { path, signature } = look;
  if (signature === undefined) return { content: unreadContent(path, look.unreadable) };
  const isSameLook = page?.seenSignature === signature;
  const seen = { seenSignature: signature, seenSinceMs: isSameLook ? (page.seenSinceMs ?? nowMs) : nowMs };
  if (page !== undefined && page.takenSignature === signature && !isYoung(look, page)) return page;
  const isQuiet = nowMs - seen.seenSinceMs >= FILE_QUIET_MS || page?.takenSignature === signature;
  if (!isQuiet) return pendingPage(turn, seen);
  const read = await readManifest(root, look);
  if ('changing' in read) return pendingPage(turn, { seenSinceMs: nowMs });
  const taken = { takenSignature: signature, takenAtMs: Date.now(), ...seen };
  if ('unreadable' in read) return { content: unreadContent(path, read.unreadable), ...taken };
  const digest = createHash('sha256').update(read.text).digest('hex');
  if (page?.digest === digest) return { content: page.content, digest, ...taken };
  return { content: toFileContent(path, parseManifestFile({ path, text: read.text })), digest, ...taken };
}

/** What was taken before stays in force until the change is taken. */
function pendingPage({ look, page, nowMs }: PageTurn, seen: Pick<Page, 'seenSignature' | 'seenSinceMs'>): Page {
  const content = page?.content ?? unreadContent(look.path, undefined);
  return { ...page, content, ...seen, pendingSinceMs: page?.pendingSinceMs ?? nowMs };
}

/** Where times are coarse, a change right after the reading may look the same: so it is read once more, later. */
function isYoung({ modifiedMs = 0 }: FileLook, { takenAtMs = 0 }: Page): boolean {
  return modifiedMs > takenAtMs - COARSE_TIME_MS;
}

/** A file that never comes to rest is told after a while. */
function withPatience({ content, pendingSinceMs }: Page, nowMs: number): FileContent {
  if (pendingSinceMs === undefined || nowMs - pendingSinceMs < FIRST_SCAN_PATIENCE_MS) return content;
  const problem = fileProblem(content.path, 'it keeps changing, its last good form counts');
  return { ...content, isComplete: false, problems: [...content.problems, problem] };
}

function unreadContent(path: string, reason: string | undefined): FileContent {
  const problems = reason === undefined ? [] : [fileProblem(path, `cannot be read: ${reason}`)];
  return toUnreadContent(path, problems);
}

function fileProblem(path: string, message: string): Problem {
  return {
    file: path,
    line: 1,
    column: 1,
    message,
    fix: 'Put a whole, readable file in its place (write another file, then rename it), or delete it.',
    severity: 'error',
  };
}
