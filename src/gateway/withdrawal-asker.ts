/** The peer that waits for an answer on a stream: gone when the stream is, or when it asks to have its request refused. */
import { anyOf, askerOf, type Asker, type JoinedAsker } from './asker.ts';
import type { PeerSession } from './session.ts';
import type { YamuxStream } from './yamux/stream.ts';

/** What is withdrawn is answered: by a refusal. */
export function askerUnlessWithdrawn(session: PeerSession, stream: YamuxStream): JoinedAsker {
  return anyOf(askerOf(stream), new WithdrawalAsker(session, stream));
}

/** A class: V8 keeps the getters of an object that is made for each, and all that they refer to, until a full collection. */
class WithdrawalAsker implements Asker {
  readonly #session: PeerSession;
  readonly #stream: YamuxStream;

  constructor(session: PeerSession, stream: YamuxStream) {
    this.#session = session;
    this.#stream = stream;
  }

  get isGone(): boolean {
    return this.#session.isWithdrawn(this.#stream);
  }

  onGone(act: () => void): () => void {
    return this.#session.onWithdrawn(this.#stream, act);
  }
}
