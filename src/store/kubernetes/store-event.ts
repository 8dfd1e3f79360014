/** What a store over an API server tells metrics. */
import type { ErrorCode } from '../../api/errors.ts';
import type { KindName } from '../../api/kinds.ts';

export type WriteVerb = 'apply' | 'apply-status' | 'delete';

/** Why a list or a watch ended early. */
export type FeedFailure =
  | 'cut'
  | 'expired'
  | 'forbidden'
  | 'malformed'
  | 'not-served'
  | 'overloaded'
  | 'refused'
  | 'server-error'
  | 'silent'
  | 'timeout'
  | 'too-large'
  | 'unreachable';

export type StoreEvent =
  | { readonly type: 'listed'; readonly kind: KindName; readonly objects: number; readonly durationMs: number }
  | { readonly type: 'watching'; readonly kind: KindName }
  | { readonly type: 'list-failed' | 'watch-failed'; readonly kind: KindName; readonly reason: FeedFailure }
  | { readonly type: 'write'; readonly kind: KindName; readonly verb: WriteVerb; readonly result: WriteResult };

/**
 * `sent`: a request that succeeded, whether or not it changed something; `skipped`: nothing to change, no request was made;
 * else why it failed.
 */
export type WriteResult = 'sent' | 'skipped' | ErrorCode;

/** What keeps a kind from being current, for `status`, conditions and readiness. */
export interface StoreProblem {
  readonly kind: KindName;
  readonly reason: FeedFailure;
  readonly message: string;
  readonly fix: string;
}
