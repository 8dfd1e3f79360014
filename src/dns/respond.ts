/** From the octets of a query to the octets of its reply: everything but sockets. */
import { parseMessage, type Query, type Transport } from './message.ts';
import { RCODE, type Rcode } from './records.ts';
import { encodeRejection, encodeReply } from './reply.ts';
import { answer, type Answer, type Zone } from './zone.ts';

export interface RespondOptions {
  readonly transport: Transport;
  /** undefined before the first snapshot. */
  readonly zone: Zone | undefined;
  readonly clientIsLoopback: boolean;
  /** See `Question.rotation`. */
  readonly rotation: number;
}

export type Outcome =
  | {
      readonly kind: 'reply';
      readonly bytes: Buffer;
      readonly rcode: Rcode;
      /** undefined where the question could not be read. */
      readonly type: number | undefined;
      /** What is wrong with this program, where the code is SERVFAIL for that reason. */
      readonly failure?: unknown;
    }
  | { readonly kind: 'drop'; readonly reason: 'too-short' | 'not-a-query' };

const BAD_VERSION: Answer = {
  rcode: RCODE.BADVERS,
  isAuthoritative: false,
  answers: [],
  authority: [],
  additional: [],
};

/** Never throws. */
export function respond(message: Buffer, options: RespondOptions): Outcome {
  const parsed = parseMessage(message, options.transport);
  switch (parsed.kind) {
    case 'drop':
      return parsed;
    case 'reject':
      return {
        kind: 'reply',
        bytes: encodeRejection(parsed.header, parsed.rcode),
        rcode: parsed.rcode,
        type: undefined,
      };
    case 'query':
      return respondTo(parsed.query, options);
  }
}

function respondTo(query: Query, { transport, zone, clientIsLoopback, rotation }: RespondOptions): Outcome {
  const { key, type, class: class_, edns } = query;
  try {
    // Nothing else of a query in a version that is not known is looked at (RFC 6891 §6.1.3).
    const isKnownVersion = edns === undefined || edns.version === 0;
    const found = isKnownVersion ? answer({ key, type, class: class_, clientIsLoopback, rotation }, zone) : BAD_VERSION;
    return { kind: 'reply', bytes: encodeReply(query, found, transport), rcode: found.rcode, type };
  } catch (failure) {
    return { kind: 'reply', bytes: encodeRejection(query, RCODE.SERVFAIL), rcode: RCODE.SERVFAIL, type, failure };
  }
}
