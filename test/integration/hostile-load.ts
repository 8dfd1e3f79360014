/** A hostile peer that keeps to the form and not to the measure: floods, slowness, memory. Bounded, counted, others unaffected. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import {
  CONTROL_LINES_PER_SECOND_MAX,
  EARLY_RESETS_PER_SECOND_MAX,
  HALF_OPEN_STREAMS_PER_PEER_MAX,
  HANDSHAKE_TIMEOUT_MS,
  HANDSHAKES_PER_PREFIX_MAX,
  HANDSHAKES_PER_SECOND_MAX,
  PEER_BUFFER_BYTES_MAX,
  PENDING_DIALS_PER_PEER_MAX,
  REFUSED_STREAMS_PER_SECOND_MAX,
} from '#src/gateway/limits.ts';
import { encodeConnect } from '#src/gateway/wire/connect.ts';
import { HEAD_BYTES_MAX } from '#src/gateway/wire/limits.ts';
import { FLAGS, FRAME_TYPES } from '#src/gateway/yamux/frame.ts';
import { PINGS_PER_SECOND_MAX, WINDOW_BYTES } from '#src/gateway/yamux/limits.ts';
import type { YamuxStream } from '#src/gateway/yamux/stream.ts';
import {
  dataFrame,
  dialAs,
  frames,
  greetAs,
  greetRaw,
  makeConnect,
  readAll,
  whenClosed,
} from '#test/support/hostile.ts';
import type { HostileStage } from '#test/support/hostile-stage.ts';
import { waitFor } from '#test/support/wait.ts';

const { syn, rst } = FLAGS;
/** With their windows full they hold a tenth more than one peer may. */
const STREAMS_TOO_MANY = Math.ceil((1.1 * PEER_BUFFER_BYTES_MAX) / WINDOW_BYTES);

export function describeFloods(stageOf: () => HostileStage): void {
  describe('it overdoes it', () => {
    let stage: HostileStage;
    before(() => {
      stage = stageOf();
    });
    beforeEach(() => stage.mark());
    afterEach('no session of the hostile peer is left', () =>
      waitFor('east has lost it', async () => !(await stage.hasSession())),
    );

    const gone = (socket: Socket | YamuxStream): Promise<unknown> =>
      waitFor('it is cut', () => socket.destroyed || socket.readableEnded);
    /** Sessions that the victim is to end. */
    const raw = (): Promise<TLSSocket> => greetRaw(stage.mallory, stage.victim);

    const floods: { name: string; limit: string; bytes(): Buffer }[] = [
      {
        name: 'streams opened and reset at once',
        limit: 'stream_resets',
        bytes: () =>
          frames(40 * EARLY_RESETS_PER_SECOND_MAX, (index) => ({
            flags: index % 2 === 0 ? syn : rst,
            streamId: 3 + 2 * (index >> 1),
          })),
      },
      {
        name: 'streams opened without end',
        limit: 'stream_refusals',
        bytes: () => frames(2 * REFUSED_STREAMS_PER_SECOND_MAX, (index) => ({ flags: syn, streamId: 3 + 2 * index })),
      },
      {
        name: 'pings',
        limit: 'pings',
        bytes: () => frames(3 * PINGS_PER_SECOND_MAX, (length) => ({ type: FRAME_TYPES.ping, flags: syn, length })),
      },
      {
        name: 'control lines that mean nothing',
        limit: 'control_lines',
        bytes: () =>
          Buffer.concat(
            Array.from({ length: 20 }, () => dataFrame(1, '{}\n'.repeat(CONTROL_LINES_PER_SECOND_MAX / 10))),
          ),
      },
    ];
    for (const { name, limit, bytes } of floods) {
      it(`a flood of ${name} → the session ends, ${limit}`, async () => {
        const socket = await raw();
        socket.write(bytes());
        await stage.limited(limit);
        await gone(socket);
      });
    }

    it('a flood of words about streams that there are not, as the window lets them through → the session ends, control_lines', async () => {
      await using session = await greetAs(stage.mallory, stage.victim);
      const line = '{"closed":{"stream":4294967295,"reason":"denied"}}\n';
      session.control.write(line.repeat(2 * CONTROL_LINES_PER_SECOND_MAX));
      await stage.limited('control_lines');
      await gone(session.control);
    });

    it('a flood of frames that change nothing → read and forgotten', async () => {
      const socket = await raw();
      socket.write(frames(200_000, () => ({ streamId: 1 })));
      // Answered behind all of them.
      socket.write(frames(1, () => ({ type: FRAME_TYPES.ping, flags: syn, length: 7 })));
      await waitFor('it is answered', async () => {
        const [chunk] = (await once(socket, 'data')) as [Buffer];
        return chunk.includes(frames(1, () => ({ type: FRAME_TYPES.ping, flags: FLAGS.ack, length: 7 })));
      });
      socket.destroy();
    });

    it('more streams without a head than may be → the rest is told overloaded, the session goes on', async () => {
      await using first = await greetAs(stage.mallory, stage.victim);
      await using second = await greetAs(stage.mallory, stage.victim, undefined, 'two');
      const heard: string[] = [];
      for (const { control } of [first, second]) control.on('data', (chunk: Buffer) => heard.push(chunk.toString()));
      const open = ({ yamux }: typeof first, count: number): YamuxStream[] =>
        Array.from({ length: count }, () => yamux.openStream());
      // Over two sessions: the bound is the peer's.
      const streams = [
        ...open(first, HALF_OPEN_STREAMS_PER_PEER_MAX / 2),
        ...open(second, HALF_OPEN_STREAMS_PER_PEER_MAX),
      ];
      assert.ok((await stage.limited('streams_half_open')) <= HALF_OPEN_STREAMS_PER_PEER_MAX / 2);
      await waitFor('the rest is told so', () => heard.join('').includes('"reason":"overloaded"'));
      assert.equal(first.yamux.closed || second.yamux.closed, false);
      for (const stream of streams) stream.reset();
    });

    it('callers that say nothing → half of the places are theirs, the rest is turned away, all are gone in time', async () => {
      const sockets = Array.from({ length: HANDSHAKES_PER_PREFIX_MAX + 8 }, () =>
        connect(stage.victim.port, '127.0.0.1').on('error', () => undefined),
      );
      assert.equal(await stage.limited('handshakes_per_prefix', ''), 8);
      await waitFor('all are gone', () => sockets.every((socket) => socket.destroyed), HANDSHAKE_TIMEOUT_MS + 5_000);
      await waitFor('counted', async () => (await stage.refusals()) === sockets.length);
      const text = await stage.counters();
      assert.ok(
        text.of('clusterlink_mcs_handshakes_refused_total', { reason: 'HANDSHAKE_TIMEOUT' }) >=
          HANDSHAKES_PER_PREFIX_MAX,
      );
    });

    it('callers that say nothing out of two neighbourhoods hold all places → an honest one gets in all the same', async () => {
      const silent = ['127.0.1.1', '127.0.2.1'].flatMap((localAddress) =>
        Array.from({ length: HANDSHAKES_PER_PREFIX_MAX }, () =>
          connect({ host: '127.0.0.1', port: stage.victim.port, localAddress }).on('error', () => undefined),
        ),
      );
      await waitFor('no place is free', async () => {
        const now = await stage.counters();
        return now.of('clusterlink_mcs_limit_used_ratio', { limit: 'handshakes' }) === 1;
      });
      (await dialAs(stage.mallory, stage.victim)).destroy();
      assert.ok((await stage.limited('handshakes', '')) >= 1);
      for (const socket of silent) socket.destroy();
    });

    it('a session that never says hello, a head that comes byte by byte → both are cut in time, HANDSHAKE_TIMEOUT', async () => {
      const silent = await dialAs(stage.mallory, stage.victim);
      silent.on('error', () => undefined).resume();
      await using session = await greetAs(stage.mallory, stage.victim, undefined, 'two');
      const slow = session.yamux.openStream();
      const head = encodeConnect(makeConnect());
      let sent = 0;
      const drip = setInterval(() => !slow.destroyed && slow.write(head.subarray(sent, ++sent)), 100);
      await whenClosed(slow);
      clearInterval(drip);
      await gone(silent);
      await stage.refused('HANDSHAKE_TIMEOUT', 2);
    });

    it('requests to an endpoint that does not answer, with all the data that their windows allow → 503 and cuts, OVERLOADED', async () => {
      await using session = await greetAs(stage.mallory, stage.victim);
      const ask = (): Buffer => encodeConnect(makeConnect({ export: { namespace: 'open', name: 'stalled' } }));
      // The kernel connects a few of them all the same.
      const streams = Array.from({ length: PENDING_DIALS_PER_PEER_MAX + 20 }, () => session.say(ask()));
      let isFull = false;
      const full = stage.limited('buffers').finally(() => (isFull = true));
      full.catch(() => undefined);
      // One that has waited too long for its endpoint fails, with what it held: another takes its place, for as long as it takes.
      for (let index = 0, filled: YamuxStream[] = []; !isFull; index++) {
        filled = filled.filter(({ destroyed }) => !destroyed);
        if (filled.length < STREAMS_TOO_MANY) {
          const stream = streams.find((each) => !each.destroyed && !filled.includes(each)) ?? session.say(ask());
          if (!streams.includes(stream)) streams.push(stream);
          stream.write(Buffer.alloc(WINDOW_BYTES - HEAD_BYTES_MAX));
          filled.push(stream);
        }
        // What they hold counts here, not how fast a test can write.
        if (index % 10 === 9) await new Promise((resolve) => setTimeout(resolve, 16));
      }
      await full;
      const refused = await stage.limited('pending_dials');
      // Beside those that were refused, some that were cut.
      await stage.closedFor('OVERLOADED', refused + 1);
      const held = (await stage.counters()).of('clusterlink_mcs_buffered_bytes', { peer: 'mallory' });
      assert.ok(held <= PEER_BUFFER_BYTES_MAX, String(held));
      assert.equal(session.yamux.closed, false);
      for (const stream of streams) stream.reset();
    });

    for (const name of ['metadata', 'gateway']) {
      it(`an export that leads to a ${name} address → 503, TARGET_FORBIDDEN`, async () => {
        await using session = await greetAs(stage.mallory, stage.victim);
        const ask = encodeConnect(makeConnect({ export: { namespace: 'open', name } }));
        assert.match(await readAll(session.say(ask)), /^HTTP\/1\.1 503 /);
        await stage.closedFor('TARGET_FORBIDDEN');
      });
    }

    it('a flood of handshakes → turned away before TLS, handshake_rate; afterwards an honest caller gets in', async () => {
      const sockets: Socket[] = [];
      await waitFor('the rate is reached', async () => {
        for (let count = 0; count < 10; count++) {
          sockets.push(connect(stage.victim.port, '127.0.0.1').on('error', () => undefined));
          sockets.at(-1)?.end('no TLS\r\n');
        }
        return (await stage.counters()).of('clusterlink_mcs_limit_refusals_total', { limit: 'handshake_rate' }) > 0;
      });
      for (const socket of sockets) socket.destroy();
      await waitFor(
        'it gets in',
        async () => (await dialAs(stage.mallory, stage.victim).catch(() => undefined))?.destroy() !== undefined,
        (1_000 * 10) / HANDSHAKES_PER_SECOND_MAX + 5_000,
      );
    });
  });
}
