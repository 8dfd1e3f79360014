/** What people are told of their objects beside conditions: for Kubernetes' events. */
import type { IImport } from '../../api/generated/Import.ts';
import type { IPeer } from '../../api/generated/Peer.ts';
import type { IServiceImport } from '../../api/generated/ServiceImport.ts';
import type { ImportStatus, MergeResult, UnmetRequest } from '../../merge/types.ts';
import { declarationProblem } from './declared.ts';
import { importWarnings } from './import-conditions.ts';
import type { ImportCaches } from './observe.ts';

export interface ImportEvent {
  readonly regarding: IServiceImport | IImport | IPeer;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly note: string;
}

export interface Teller {
  /** All that there is to tell now: each goes out once, and again when it changes. */
  tell(events: readonly ImportEvent[]): void;
}

export function makeImportTeller(onEvent: (event: ImportEvent) => void): Teller {
  /** By uid and reason; of what is there now, and of nothing else. */
  let told: ReadonlyMap<string, string> = new Map();
  return {
    tell(events) {
      const next = new Map<string, string>();
      for (const event of events) {
        const uid = event.regarding.metadata?.uid;
        if (uid === undefined) continue;
        const id = `${uid} ${event.reason}`;
        next.set(id, event.note);
        if (told.get(id) !== event.note) onEvent(event);
      }
      told = next;
    },
  };
}

type Watched = Pick<ImportCaches, 'Import' | 'Peer' | 'ServiceImport'>;

/** All that there is to tell after one merge. */
export function eventsOf(
  { unmet, importStatuses }: Pick<MergeResult, 'importStatuses' | 'unmet'>,
  caches: Watched,
): ImportEvent[] {
  return [
    ...unmet.flatMap((request) => eventsOfRequest(request, caches)),
    ...importStatuses.flatMap((written) => eventsOfImport(written, caches)),
    ...caches.Peer.list().flatMap(eventsOfPeer),
  ];
}

/** A ServiceImport of somebody else, into which nothing is written. */
function eventsOfRequest({ key, reason, message }: UnmetRequest, { ServiceImport }: Watched): ImportEvent[] {
  const regarding = ServiceImport.get(key);
  const isMistake = reason === 'InvalidRequest';
  const type = isMistake ? 'Warning' : 'Normal';
  return regarding === undefined ? [] : [{ regarding, type, reason, note: message }];
}

function eventsOfImport(written: ImportStatus, { Import }: Watched): ImportEvent[] {
  const regarding = Import.get(written.key);
  if (regarding === undefined) return [];
  return importWarnings(written).map(({ reason, message }) => ({ regarding, type: 'Warning', reason, note: message }));
}

/** What a Peer declares is checked nowhere else in a cluster. */
function eventsOfPeer(regarding: IPeer): ImportEvent[] {
  const note = declarationProblem(regarding);
  return note === undefined ? [] : [{ regarding, type: 'Warning', reason: 'InvalidExports', note }];
}
