/** The connections that one worker has open, as far as it has said: so that each leaves a closing record when the worker ends without one. */
import { REASONS } from '../../api/reasons.ts';
import type { ClosingRecord, ConnectionSubject } from '../messages.ts';

export interface OpenTunnels {
  readonly count: number;
  opened(subject: ConnectionSubject): void;
  closed(record: ClosingRecord): void;
  /** The worker is gone, and with it all of them. */
  lose(): ClosingRecord[];
}

export function makeOpenTunnels(nowMs: () => number): OpenTunnels {
  /** Ids of connections are their importers' words: two may be one. */
  const open = new Map<string, { readonly subject: ConnectionSubject; readonly openedMs: number }[]>();
  let count = 0;
  return {
    get count() {
      return count;
    },
    opened({ connection, direction, object, peer }) {
      const subject = { connection, direction, object, peer };
      const id = idOf(subject);
      const present = open.get(id);
      if (present === undefined) open.set(id, [{ subject, openedMs: nowMs() }]);
      else present.push({ subject, openedMs: nowMs() });
      count++;
    },
    closed(record) {
      if (!record.opened) return;
      const id = idOf(record);
      const present = open.get(id);
      if (present?.shift() === undefined) return;
      count--;
      if (present.length === 0) open.delete(id);
    },
    lose() {
      const records = [...open.values()].flat().map(({ subject, openedMs }) => ({
        ...subject,
        reason: REASONS.WorkerLost,
        opened: true,
        message: 'The worker process that carried it has ended; how many bytes it had carried is not known.',
        sentBytes: 0,
        receivedBytes: 0,
        durationMs: Math.round(nowMs() - openedMs),
      }));
      open.clear();
      count = 0;
      return records;
    },
  };
}

function idOf({ connection, direction, object, peer }: ConnectionSubject): string {
  return `${direction} ${connection} ${object} ${peer}`;
}
