/** Who asks over UDP, remembered: whether it is answered, and how many answers its network has left. */
import type { Client, ClientNetworks } from './clients.ts';
import { SOURCES_MAX } from './limits.ts';
import type { ReplyLimiter } from './rate-limit.ts';
import type { Bucket } from '../runtime/bucket.ts';

/** undefined: of no configured network. */
export type Source = { readonly client: Client; readonly replies: Bucket } | undefined;

export interface Sources {
  /** @param address - as the socket gives it. */
  of(address: string): Source;
}

export function makeSources(clients: ClientNetworks, limiter: ReplyLimiter): Sources {
  const known = new Map<string, Source>();

  function learn(address: string): Source {
    const client = clients.classify(address);
    const source = client && { client, replies: limiter.bucketOf(client.address) };
    // All at once: who sends from that many addresses forges them, and learning one again takes a microsecond.
    if (known.size >= SOURCES_MAX) known.clear();
    known.set(address, source);
    return source;
  }

  return { of: (address) => (known.has(address) ? known.get(address) : learn(address)) };
}
