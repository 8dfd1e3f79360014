/** What the main process and one worker say to each other, around the messages of the data plane itself. */
import type { PeerIdentity } from '../../fabric/files.ts';
import type { DownMessage, UpMessage } from '../messages.ts';
import type { DataPlaneOptions } from '../plane.ts';
import type { LeaseAnswer, LeaseRequest } from './ledger.ts';
import type { WorkerOutbound } from './outbound.ts';

/** The options of a data plane that are values. */
export type WorkerPlaneOptions = Omit<DataPlaneOptions, 'channel' | 'identity' | 'outbound' | 'places' | 'shares'> & {
  readonly outbound?: WorkerOutbound;
};

/** An address and port, and what listens there: `namespace/name port` of an import. */
export interface Place {
  readonly address: string;
  readonly port: number;
  readonly owner: string;
}

export type ToWorker =
  | {
      readonly kind: 'start';
      readonly options: WorkerPlaneOptions;
      /** On no command line and in no environment. */
      readonly identity: PeerIdentity;
      /** What is in force already: known before the worker listens, so that it refuses nobody for what it has not heard. */
      readonly first: readonly DownMessage[];
    }
  | { readonly kind: 'identity'; readonly identity: PeerIdentity }
  | { readonly kind: 'down'; readonly message: DownMessage }
  /** The answer to a claim: `code` says as the kernel would why the place cannot be had. */
  | { readonly kind: 'claimed'; readonly id: number; readonly code?: string }
  /** The answer to a lease, and that others need what is leased and not in use. */
  | ({ readonly kind: 'leased' } & LeaseAnswer)
  | { readonly kind: 'tight'; readonly key: string }
  /** Ends the data plane, and then the process. */
  | { readonly kind: 'end' };

export type FromWorker =
  /** Its code is loaded: it can be started. */
  | { readonly kind: 'loaded' }
  | { readonly kind: 'started' }
  | { readonly kind: 'failed'; readonly error: WorkerError }
  | { readonly kind: 'up'; readonly message: UpMessage }
  | WorkerRequest;

/** What is shared by all workers, and the main process's to give. */
export type WorkerRequest =
  | { readonly kind: 'claim'; readonly id: number; readonly place: Place }
  | { readonly kind: 'release'; readonly place: Place }
  | ({ readonly kind: 'lease' } & LeaseRequest);

export interface WorkerError {
  /** Of an AppError; absent: another error. */
  readonly code?: string;
  readonly message: string;
  readonly fix?: string;
}
