/** Brings the store to what the manifests folder declares: takes new documents, and lets go of what stays away. */
import { AppError } from '../../api/errors.ts';
import { compareText } from '../../api/object.ts';
import type { Engine } from '../engine.ts';
import { sameJson } from '../json.ts';
import { LOSS_HOLD_MS } from '../../runtime/limits.ts';
import { DELETION_GRACE_MS, PARALLEL_FILES_MAX } from '../limits.ts';
import { collectDeclarations, idOf, toUnreadContent, type DeclaredObject, type FileContent } from './declarations.ts';
import { makeGate, mapGated } from './gate.ts';
import type { ManifestScan } from './manifest-reader.ts';
import { makeLossHold } from './mass-loss.ts';
import type { Problem } from './manifest-types.ts';

export interface ReconcileResult {
  readonly problems: readonly Problem[];
  /** Whether some object is away, but not yet for long enough to be deleted; those that are held apart. */
  readonly isAnyMissing: boolean;
  /** Whether the state folder refused a write that may succeed later. */
  readonly isRetryNeeded: boolean;
}

export interface ManifestReconciler {
  /** Calls must not overlap. */
  reconcile(scan: ManifestScan): Promise<ReconcileResult>;
  /** {@link LossHold.accept}: it counts with the next scan. */
  acceptLoss(): number;
}

export function makeManifestReconciler(engine: Engine): ManifestReconciler {
  const gate = makeGate(PARALLEL_FILES_MAX);
  /** Since when (monotonic) an object was in no scan. */
  let missingSince = new Map<string, number>();
  const hold = makeLossHold();

  async function take(object: DeclaredObject, present: DeclaredObject | undefined): Promise<AppError | undefined> {
    if (present?.file === object.file && sameJson(present.document, object.document)) return undefined;
    const { kind, key, document, file, line } = object;
    return failureOf(engine.declare(kind, key, { document, file, line }));
  }

  async function letGo(
    missing: readonly DeclaredObject[],
    nowMs: number,
  ): Promise<readonly (readonly [DeclaredObject, AppError])[]> {
    missingSince = new Map(missing.map(idOf).map((id) => [id, missingSince.get(id) ?? nowMs]));
    const gone = missing.filter((object) => nowMs - (missingSince.get(idOf(object)) ?? nowMs) >= DELETION_GRACE_MS);
    const failures = await mapGated(gate, gone, async (object) => {
      const failure = await failureOf(engine.withdraw(object.kind, object.key));
      if (failure === undefined) missingSince.delete(idOf(object));
      return failure === undefined ? [] : [[object, failure] as const];
    });
    return failures.flat();
  }

  return {
    acceptLoss: () => hold.accept(),
    async reconcile(scan) {
      const present = engine
        .declared()
        .flatMap(({ kind, key, declaration }): DeclaredObject[] =>
          declaration === undefined ? [] : [{ kind, key, ...declaration }],
        );
      const presentById = new Map(present.map((object) => [idOf(object), object]));
      const contents = withUnknown(scan, present);
      const { declared, problems } = collectDeclarations(
        contents,
        Map.groupBy(present, ({ file }) => file),
      );
      const taken = await mapGated(gate, [...declared], async ([id, object]) => {
        const failure = await take(object, presentById.get(id));
        return failure === undefined ? [] : [[object, failure] as const];
      });
      // A refused document of the object in another file: most likely its file was renamed.
      const rejectedIds = new Set(contents.flatMap((content) => [...content.rejectedIds]));
      const isMissing = (id: string): boolean => !declared.has(id) && !rejectedIds.has(id);
      const missing = present.filter((object) => isMissing(idOf(object)));
      const nowMs = performance.now();
      const held = hold.look(missing.map(idOf), present.length, nowMs);
      const released = missing.filter((object) => !held.has(idOf(object)));
      const failures = [...taken.flat(), ...(await letGo(released, nowMs))];
      return {
        problems: [
          ...scan.unknown.map(folderProblem),
          ...lossProblems(held.size),
          ...problems,
          ...failures.map(writeProblem),
        ],
        isAnyMissing: missingSince.size > 0,
        isRetryNeeded: failures.some(([, { retryable }]) => retryable),
      };
    },
  };
}

/** Files that were not seen because their folder could not be looked into are unread, not gone. */
function withUnknown({ contents, unknown }: ManifestScan, present: readonly DeclaredObject[]): readonly FileContent[] {
  if (unknown.length === 0) return contents;
  const seen = new Set(contents.map(({ path }) => path));
  const isHidden = (file: string): boolean =>
    !seen.has(file) && unknown.some(({ path }) => path === '' || file.startsWith(`${path}/`));
  const hidden = [...new Set(present.map(({ file }) => file))].filter(isHidden);
  const unread = hidden.map((path) => toUnreadContent(path));
  return [...contents, ...unread].sort((a, b) => compareText(a.path, b.path));
}

async function failureOf(write: Promise<void>): Promise<AppError | undefined> {
  try {
    await write;
    return undefined;
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
}

function writeProblem([{ kind, key, file, line }, failure]: readonly [DeclaredObject, AppError]): Problem {
  return {
    file,
    line,
    column: 1,
    object: idOf({ kind, key }),
    message: `${failure.code} ${failure.message}`,
    fix: failure.fix ?? 'Correct the document.',
    severity: 'error',
  };
}

function lossProblems(held: number): readonly Problem[] {
  if (held === 0) return [];
  const message = `${held} objects went from the folder in a mass; they are kept for ${LOSS_HOLD_MS / 60_000} minutes`;
  const fix = 'Put the files back; if they were meant to go: npx clusterlink-mcs accept-loss, or wait.';
  return [{ file: '.', line: 1, column: 1, message, fix, severity: 'error' }];
}

function folderProblem({ path, reason }: { readonly path: string; readonly reason: string }): Problem {
  return {
    file: path === '' ? '.' : path,
    line: 1,
    column: 1,
    message: `the folder was not read as a whole: ${reason}; what it declared before stays`,
    fix: 'Make the folder readable, or put fewer files into it.',
    severity: 'error',
  };
}
