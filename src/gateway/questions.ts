/** Questions that the control part puts to the data plane, each with its answer or its deadline. */
import { randomUUID } from 'node:crypto';
import { AppError } from '../api/errors.ts';
import { REASONS } from '../api/reasons.ts';
import type { SourceKey } from '../api/record.ts';
import type { PolicySet } from '../policy/compile.ts';
import type { ClientIdentity } from './client-identity.ts';
import { FORESEE_ANSWER_TIMEOUT_MS, FORESEEN_AT_ONCE_MAX, PROBE_TIMEOUT_MS } from './limits.ts';
import type { DownMessage, Foresight, ProbeOutcome, UpMessage } from './messages.ts';

export interface ProbeQuestion {
  readonly client: ClientIdentity;
  readonly source: SourceKey;
  /** Of the Service at the source. */
  readonly port: number;
  readonly mode: 'decide' | 'dial';
  /** At most {@link PROBE_TIMEOUT_MS}, which it is when absent. */
  readonly timeoutMs?: number;
}

export interface Questions {
  /** Never rejects. */
  probe(question: ProbeQuestion): Promise<ProbeOutcome>;
  /**
   * What would be cut if these were the policies; nothing is.
   *
   * @throws {AppError} `ERR_BOUND_EXCEEDED` while another such question is asked, `ERR_TIMEOUT`.
   */
  foresee(policies: PolicySet): Promise<Foresight>;
  answer(message: Extract<UpMessage, { kind: 'probed' | 'foreseen' }>): void;
}

export function makeQuestions(post: (message: DownMessage) => void): Questions {
  const probes = new Map<string, (outcome: ProbeOutcome) => void>();
  const foreseeing = new Map<string, (foresight: Foresight) => void>();
  return {
    probe({ client, source, port, mode, timeoutMs = PROBE_TIMEOUT_MS }) {
      const id = randomUUID();
      return new Promise((resolve) => {
        const settle = (outcome: ProbeOutcome): void => {
          clearTimeout(deadline);
          probes.delete(id);
          resolve(outcome);
        };
        const deadline = setTimeout(
          () =>
            settle({ ok: false, reason: REASONS.PeerUnreachable, message: `${source.peer} did not answer in time.` }),
          Math.min(timeoutMs, PROBE_TIMEOUT_MS),
        );
        probes.set(id, settle);
        post({ kind: 'probe', id, client, source, port, mode });
      });
    },
    foresee(policies) {
      if (foreseeing.size >= FORESEEN_AT_ONCE_MAX) {
        const fix = 'try again in some seconds';
        throw new AppError('ERR_BOUND_EXCEEDED', 'gateway: others ask the same', { retryable: true, fix });
      }
      const id = randomUUID();
      const { promise, resolve, reject } = Promise.withResolvers<Foresight>();
      const deadline = setTimeout(
        () => reject(new AppError('ERR_TIMEOUT', 'gateway: has not answered in time', { retryable: true })),
        FORESEE_ANSWER_TIMEOUT_MS,
      );
      foreseeing.set(id, resolve);
      post({ kind: 'foresee', id, policies });
      return promise.finally(() => {
        clearTimeout(deadline);
        foreseeing.delete(id);
      });
    },
    answer(message) {
      if (message.kind === 'probed') probes.get(message.id)?.(message.outcome);
      else foreseeing.get(message.id)?.(message.foresight);
    },
  };
}
