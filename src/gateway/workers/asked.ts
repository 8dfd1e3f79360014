/** Questions of the control part that go to workers, until they are answered or the worker is gone. */
import { REASONS } from '../../api/reasons.ts';
import type { DownMessage, Foresight, UpMessage } from '../messages.ts';
import { mergeForesights } from './merge.ts';

export interface Asked<Worker> {
  /** Goes to all of them; the answers are joined. */
  foresee(message: Extract<DownMessage, { kind: 'foresee' }>, workers: readonly Worker[]): void;
  /** Goes to one; undefined: there is none. */
  probe(message: Extract<DownMessage, { kind: 'probe' }>, worker: Worker | undefined): void;
  answer(worker: Worker, message: Extract<UpMessage, { kind: 'foreseen' | 'probed' }>): void;
  /** It answers nothing any more. */
  forget(worker: Worker): void;
}

export function makeAsked<Worker extends { post(message: DownMessage): void }>(
  say: (message: UpMessage) => void,
): Asked<Worker> {
  const foreseeing = new Map<string, { readonly open: Set<Worker>; readonly answers: Foresight[] }>();
  const probing = new Map<string, Worker | undefined>();

  function settle(id: string, worker: Worker | undefined): void {
    const asked = foreseeing.get(id);
    if (asked === undefined) return;
    if (worker !== undefined) asked.open.delete(worker);
    if (asked.open.size > 0) return;
    foreseeing.delete(id);
    say({ kind: 'foreseen', id, foresight: mergeForesights(asked.answers) });
  }

  function fail(id: string): void {
    probing.delete(id);
    const message = 'The worker process that was asked has ended.';
    say({ kind: 'probed', id, outcome: { ok: false, reason: REASONS.WorkerLost, message } });
  }

  return {
    foresee(message, workers) {
      foreseeing.set(message.id, { open: new Set(workers), answers: [] });
      for (const worker of workers) worker.post(message);
      settle(message.id, undefined);
    },
    probe(message, worker) {
      probing.set(message.id, worker);
      if (worker === undefined) fail(message.id);
      else worker.post(message);
    },
    answer(worker, message) {
      if (message.kind === 'probed') {
        if (probing.delete(message.id)) say(message);
        return;
      }
      foreseeing.get(message.id)?.answers.push(message.foresight);
      settle(message.id, worker);
    },
    forget(worker) {
      for (const id of [...foreseeing.keys()]) settle(id, worker);
      for (const [id, asked] of [...probing]) if (asked === worker) fail(id);
    },
  };
}
