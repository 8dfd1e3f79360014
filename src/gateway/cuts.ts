/** What two gateways tell each other about a connection that does not go on, and what it means at the other end. */
import { AppError } from '../api/errors.ts';
import { REASONS, type Reason, type WireReason } from '../api/reasons.ts';
import type { Direction } from './messages.ts';
import type { PeerSession } from './session.ts';
import type { PeerSide } from './tunnel.ts';
import type { Revocation } from './tunnels.ts';
import type { RefusalStatus } from './wire/connect.ts';
import type { YamuxStream } from './yamux/stream.ts';

/**
 * Coarse on the wire: fine reasons stay with their owner (DESIGN §6). `denied` is 404, whether the export is hidden or not
 * there; only whoever may know that it is there is answered 403.
 */
export function toWire(reason: Reason): { readonly status: RefusalStatus; readonly reason: WireReason } {
  switch (reason) {
    case REASONS.NothingOffered:
    case REASONS.ExportDeleted:
    case REASONS.IngressDenied:
    case REASONS.EgressDenied:
    case REASONS.ClientUnknown:
    case REASONS.PolicyChanged:
    case REASONS.PeerUnknown:
      return { status: 404, reason: 'denied' };
    case REASONS.Loop:
      return { status: 508, reason: 'loop' };
    case REASONS.Drained:
      return { status: 503, reason: 'drained' };
    case REASONS.Overloaded:
      return { status: 503, reason: 'overloaded' };
    case REASONS.Malformed:
    case REASONS.PeerNameMismatch:
      return { status: 400, reason: 'malformed' };
    default:
      return { status: 503, reason: 'unavailable' };
  }
}

/** What an importer makes of its exporter's word. It says no more than this; `explain` on its side tells the rest. */
export function fromWire(reason: WireReason): Reason {
  switch (reason) {
    case 'denied':
      return REASONS.IngressDenied;
    case 'unavailable':
      return REASONS.NoUsableSource;
    case 'overloaded':
      return REASONS.Overloaded;
    case 'loop':
      return REASONS.Loop;
    case 'drained':
      return REASONS.Drained;
    case 'malformed':
      return REASONS.Malformed;
  }
}

/** What an exporter makes of the word of an importer that cuts a connection of its own client. */
function fromImporter(reason: WireReason): Reason {
  if (reason === 'denied') return REASONS.EgressDenied;
  return reason === 'drained' ? REASONS.Drained : REASONS.Aborted;
}

/** Why a stream of an open connection failed; undefined when all that is known is that it was reset. */
export async function explainCut(input: {
  readonly session: PeerSession;
  readonly stream: YamuxStream;
  readonly direction: Direction;
}): Promise<Revocation | undefined> {
  const { session, stream, direction } = input;
  // Cut here, for want of memory.
  const own = stream.errored;
  if (own instanceof AppError && own.code === 'ERR_BOUND_EXCEEDED') {
    return { reason: REASONS.Overloaded, message: own.message };
  }
  const cut = await session.explainCut(stream);
  if (cut === undefined) return undefined;
  if (cut.kind === 'session-lost') {
    return {
      reason: cut.reason ?? REASONS.SessionLost,
      message: `The session with ${session.peer} was lost: ${cut.message}.`,
    };
  }
  const reason = direction === 'egress' ? fromWire(cut.reason) : fromImporter(cut.reason);
  return { reason, message: `${session.peer} cut it: ${cut.reason}.` };
}

/** The side of a connection that is a stream of a session. */
export class StreamSide implements PeerSide {
  readonly side: PeerSide['side'];
  readonly #session: PeerSession;
  readonly #stream: YamuxStream;
  readonly #direction: Direction;

  constructor(input: Parameters<typeof explainCut>[0]) {
    this.side = input.direction === 'egress' ? 'right' : 'left';
    this.#session = input.session;
    this.#stream = input.stream;
    this.#direction = input.direction;
  }

  tellCut({ reason }: Revocation): void {
    this.#session.tellClosed(this.#stream, toWire(reason).reason);
  }

  explainCut(): Promise<Revocation | undefined> {
    return explainCut({ session: this.#session, stream: this.#stream, direction: this.#direction });
  }
}
