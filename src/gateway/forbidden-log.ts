/**
 * Tells the log which exports lead where none may (`TARGET_FORBIDDEN`): peers are not told of such endpoints, so that usually no
 * connection comes whose refusal would say it.
 */
import { REASONS } from '../api/reasons.ts';
import type { Logger } from '../runtime/log.ts';
import { FORBIDDEN_TELL_MS } from './limits.ts';

export interface ForbiddenLog {
  /** What is left out now: for people, by `namespace/name` of the export. */
  see(forbidden: ReadonlyMap<string, string>): void;
  close(): void;
}

/** What was seen so is told once; what is over within `delayMs`, as where a pod goes before its slice, is not. */
export function makeForbiddenLog(logger: Logger, delayMs = FORBIDDEN_TELL_MS): ForbiddenLog {
  let present: ReadonlyMap<string, string> = new Map();
  let told = new Map<string, string>();
  let timer: NodeJS.Timeout | undefined;

  function tell(): void {
    timer = undefined;
    for (const [object, message] of present) {
      if (told.get(object) === message) continue;
      logger.warn(
        { export: object, reason: REASONS.TargetForbidden, cause: message },
        'Endpoints of an export are left out',
      );
    }
    told = new Map(present);
  }

  return {
    see(forbidden) {
      present = forbidden;
      if (timer === undefined && [...present].some(([object, message]) => told.get(object) !== message)) {
        timer = setTimeout(tell, delayMs);
      }
    },
    close: () => clearTimeout(timer),
  };
}
