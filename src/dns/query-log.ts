/** One query of many, with its answer: to see what clients ask without a line for each. */
import type { Logger } from '../runtime/log.ts';
import { makeBucket } from '../runtime/bucket.ts';
import { QUERY_LOG_LINES_PER_SECOND } from './limits.ts';
import { parseMessage, type Transport } from './message.ts';
import { formatName } from './name.ts';

export interface AnsweredQuery {
  readonly query: Buffer;
  readonly transport: Transport;
  /** Address of the client. */
  readonly client: string;
  readonly rcode: number;
  readonly path: 'fast' | 'full';
}

export interface QueryLog {
  /** True for each query whose turn it is; cheap, and so asked first. */
  isDue(): boolean;
  write(answered: AnsweredQuery): void;
}

/** @param every - one of so many queries; 0: none. */
export function makeQueryLog(every: number, logger: Logger, nowMs: () => number): QueryLog {
  const lines = makeBucket({ perSecondMax: QUERY_LOG_LINES_PER_SECOND, now: nowMs });
  let until = every;
  return {
    isDue() {
      if (every === 0) return false;
      until -= 1;
      if (until > 0) return false;
      until = every;
      return true;
    },
    write({ query, transport, client, rcode, path }) {
      if (!lines.take()) return;
      const parsed = parseMessage(query, transport);
      // What cannot be read has no name to tell; octets beyond letters, digits and dashes are escaped.
      const asked = parsed.kind === 'query' ? { name: formatName(parsed.query.key), type: parsed.query.type } : {};
      logger.info({ ...asked, transport, client, rcode, path, every }, 'Answered a DNS query');
    },
  };
}
