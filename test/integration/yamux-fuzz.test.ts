/** Spoiled frames over real sockets, in both ways of reading: whatever has become of the session, all memory that is lent comes back. */
import fc from 'fast-check';
import { openYamux } from '#src/gateway/yamux/session.ts';
import type { YamuxStream } from '#src/gateway/yamux/stream.ts';
import { makeCountedSendMemory } from '#test/support/counted-memory.ts';
import { CONVERSATION, serveSomehow } from '#test/unit/gateway/yamux/conversations.ts';
import { openSocketPair, READINGS, spoiledSlabs, until, useReading } from './session-pair.ts';

const CONVERSATIONS = 150;

for (const reading of READINGS) {
  describe(`yamux over TCP, frames that were spoiled, ${reading}`, () => {
    useReading(reading);

    it('sent in pieces by a peer that then leaves → no stream, no slab and no frame is left', async () => {
      await fc.assert(
        fc.asyncProperty(CONVERSATION, fc.boolean(), async ({ pieces }, isPolite) => {
          const [socket, wire] = await openSocketPair();
          wire.on('error', () => undefined).resume();
          const closed = new Promise((resolve) => socket.once('close', resolve));
          const sendMemory = makeCountedSendMemory();
          const ended = Promise.withResolvers<Error | undefined>();
          const seen: YamuxStream[] = [];
          const serve = (stream: YamuxStream): void => {
            seen.push(stream);
            serveSomehow(stream);
          };
          const session = openYamux({
            ...{ socket, role: 'acceptor', streamsMax: 4, pool: spoiledSlabs, sendMemory },
            onStream: serve,
            onClose: ended.resolve,
          });
          for (let count = 0; count < 2; count += 1) serve(session.openStream());
          for (const piece of pieces) {
            wire.write(piece);
            await new Promise((resolve) => setImmediate(resolve));
          }
          if (isPolite) wire.end();
          else wire.destroySoon();
          await ended.promise;
          for (const stream of seen) stream.resume();
          await closed;
          wire.destroy();
          await until(() => session.streams === 0 && seen.every((stream) => stream.destroyed));
          await until(() => spoiledSlabs.taken === 0 && sendMemory.taken === 0);
        }),
        { numRuns: CONVERSATIONS },
      );
    });
  });
}
