/** Who asks over UDP, remembered: whether it is answered, and how many answers its network has left. */
import type { Client, ClientNetworks } from './clients.ts';
import { SOURCES_MAX } from './limits.ts';
import type { ReplyLimiter } from './rate-limit.ts';
import { hashText } from './shared-map.ts';
import type { Bucket } from '../runtime/bucket.ts';

/** undefined: of no configured network. */
export type Source = { readonly client: Client; readonly replies: Bucket } | undefined;

export interface Sources {
  /** @param address - as the socket gives it. */
  of(address: string): Source;
}

interface Known {
  readonly address: string;
  readonly source: Source;
}

/**
 * Each address has one place, where another one may take its turn: learning one again takes a microsecond. Not a Map, since the
 * socket gives a new text with each datagram, and V8 looks such a key up among all texts of the thread first.
 */
export function makeSources(clients: ClientNetworks, limiter: ReplyLimiter): Sources {
  const places = new Array<Known | undefined>(SOURCES_MAX).fill(undefined);

  function learn(address: string): Known {
    const client = clients.classify(address);
    return { address, source: client && { client, replies: limiter.bucketOf(client.address) } };
  }

  return {
    of(address) {
      const place = hashText(address) & (SOURCES_MAX - 1);
      let known = places[place];
      if (known?.address !== address) {
        known = learn(address);
        places[place] = known;
      }
      return known.source;
    },
  };
}
