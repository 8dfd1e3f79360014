/** Keeps the store at what the manifests folder says: scans when hinted, when something is pending, and from time to time. */
import type { Engine } from '../engine.ts';
import {
  DELETION_GRACE_MS,
  FILE_QUIET_MS,
  FIRST_SCAN_PATIENCE_MS,
  SCAN_DEBOUNCE_MS,
  SCAN_INTERVAL_MS,
  SCAN_INTERVAL_WITHOUT_HINTS_MS,
} from '../limits.ts';
import { makeHints, type WatchFolder } from './hints.ts';
import type { StoreLogger } from './logger.ts';
import { makeManifestReader } from './manifest-reader.ts';
import { makeProblemBoard, type ProblemBoard } from './problem-board.ts';
import { makeManifestReconciler } from './reconcile.ts';
import { makeScanLoop } from './scan-loop.ts';

/** Slack for timers that fire a little early. */
const TIMER_SLACK_MS = 5;

export interface FollowOptions {
  readonly manifests: string;
  readonly logger: StoreLogger;
  readonly scanIntervalMs?: number;
  /** How to watch one folder; by default the kernel's own way. */
  readonly watchFolder?: WatchFolder;
}

export interface ManifestFollower extends Pick<ProblemBoard, 'problems' | 'onProblems'> {
  /** Lets go of the objects that went from the folder in a mass and are held; gives how many these are. */
  acceptLoss(): number;
  close(): Promise<void>;
}

/** Resolves when the manifests have been read once and come to rest (or after FIRST_SCAN_PATIENCE_MS). */
export async function followManifests(engine: Engine, options: FollowOptions): Promise<ManifestFollower> {
  const { manifests, logger, scanIntervalMs = SCAN_INTERVAL_MS } = options;
  const reader = makeManifestReader(manifests);
  const reconciler = makeManifestReconciler(engine);
  const board = makeProblemBoard(logger);
  const hints = makeHints(() => loop.request(SCAN_DEBOUNCE_MS), options.watchFolder);
  let hintsFailure: string | undefined;

  async function scanOnce(): Promise<{ readonly isPending: boolean; readonly nextMs: number }> {
    const scan = await reader.scan();
    const isAnyFolderNew = hints.follow(scan.folders);
    const { problems, isAnyMissing, isRetryNeeded } = await reconciler.reconcile(scan);
    board.show(problems);
    if (hints.failure !== hintsFailure) {
      hintsFailure = hints.failure;
      if (hintsFailure === undefined) logger.info({ manifests }, 'Folder watch works again');
      else logger.warn({ manifests, problem: hintsFailure }, 'Folder watch failed, scanning more often instead');
    }
    const delays = [
      hintsFailure === undefined ? scanIntervalMs : Math.min(scanIntervalMs, SCAN_INTERVAL_WITHOUT_HINTS_MS),
      ...(scan.isPending ? [FILE_QUIET_MS] : []),
      ...(isAnyFolderNew ? [SCAN_DEBOUNCE_MS] : []),
      ...(isAnyMissing ? [DELETION_GRACE_MS] : []),
      // Nothing tells when a folder can be read again.
      ...(isRetryNeeded || scan.unknown.length > 0 ? [SCAN_INTERVAL_WITHOUT_HINTS_MS] : []),
    ];
    return { isPending: scan.isPending, nextMs: Math.min(...delays) + TIMER_SLACK_MS };
  }

  const { promise: firstRead, resolve, reject } = Promise.withResolvers<void>();
  const patienceEndsMs = performance.now() + FIRST_SCAN_PATIENCE_MS;
  const loop = makeScanLoop(async () => {
    try {
      const { isPending, nextMs } = await scanOnce();
      if (!isPending || performance.now() >= patienceEndsMs) resolve();
      return nextMs;
    } catch (error) {
      reject(error);
      logger.warn({ manifests, err: error }, 'Scan of the manifests folder failed');
      return SCAN_INTERVAL_WITHOUT_HINTS_MS;
    }
  });

  async function close(): Promise<void> {
    await loop.close();
    hints.close();
  }

  loop.request(0);
  try {
    await firstRead;
  } catch (error) {
    await close();
    throw error;
  }
  return {
    problems: () => board.problems(),
    onProblems: (listener) => board.onProblems(listener),
    acceptLoss() {
      const accepted = reconciler.acceptLoss();
      if (accepted > 0) loop.request(0);
      return accepted;
    },
    close,
  };
}
