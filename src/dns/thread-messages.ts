/** What a responder's thread and the one that feeds it say to each other. All of it can be cloned. */
import type { LogLevel } from '../runtime/log.ts';
import type { HostAndPort } from './bind.ts';
import type { ZoneChange, ZoneSnapshot } from './snapshot.ts';

/** `workerData` of a thread. */
export interface ThreadOptions {
  readonly listen: HostAndPort;
  readonly isShared: boolean;
  readonly clients: readonly string[];
  readonly repliesPerSecond: number;
  readonly queryLog: number;
  readonly log: { readonly level: LogLevel | 'silent'; readonly bindings: Readonly<Record<string, string>> };
  /** See `counts.ts`. */
  readonly counts: SharedArrayBuffer;
}

export type ToThread =
  | { readonly kind: 'snapshot'; readonly snapshot: ZoneSnapshot }
  | { readonly kind: 'change'; readonly change: ZoneChange }
  | { readonly kind: 'close' };

export type FromThread =
  | { readonly kind: 'listening'; readonly address: HostAndPort }
  /** It could not begin; nothing comes after that. */
  | { readonly kind: 'refused'; readonly code: string; readonly message: string; readonly fix: string | undefined }
  | { readonly kind: 'applied'; readonly version: number };
