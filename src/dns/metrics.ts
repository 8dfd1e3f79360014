/** What the responder counts. All label values come from short lists here: never a name or an address that somebody sent. */
import type { Transport } from './message.ts';
import { RCODE, TYPE } from './records.ts';

export type DropReason =
  /** The client is of no configured network. */
  | 'client-not-allowed'
  /** Connections of all clients, or of this one, are at their bound. */
  | 'connections'
  /** No reply can be sent there. */
  | 'source-port-zero'
  | 'rate-limited'
  /** The kernel does not take replies as fast as they are made, or refused one. */
  | 'send'
  | 'too-short'
  | 'too-long'
  /** It is itself a reply. */
  | 'not-a-query'
  /** A TCP client that stopped in the middle of a query, or does not read. */
  | 'slow-client';

export interface DnsMetrics {
  /** `type` and `rcode` in words, `other` and `none` included. */
  countReply(labels: { readonly transport: Transport; readonly type: string; readonly rcode: string }): void;
  countDrop(labels: { readonly transport: Transport; readonly reason: DropReason }): void;
}

export const NO_METRICS: DnsMetrics = { countReply: () => undefined, countDrop: () => undefined };

const TYPE_NAMES = new Map<number, string>(Object.entries(TYPE).map(([name, code]) => [code, name]));
const RCODE_NAMES = new Map<number, string>(Object.entries(RCODE).map(([name, code]) => [code, name]));

/** `none` where the question could not be read. */
export function toTypeLabel(type: number | undefined): string {
  return type === undefined ? 'none' : (TYPE_NAMES.get(type) ?? 'other');
}

export function toRcodeLabel(rcode: number): string {
  return RCODE_NAMES.get(rcode) ?? 'other';
}
