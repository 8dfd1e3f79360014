import assert from 'node:assert/strict';
import { AppError } from '#src/api/errors.ts';
import type { GatewayConnection } from '#src/gateway/clusterlink/connection.ts';
import { makeKeptConnections } from '#src/gateway/clusterlink/kept.ts';
import { OPENING_PER_GATEWAY_MAX } from '#src/gateway/clusterlink/limits.ts';
import { makeOpener, type Dialled } from '#src/gateway/clusterlink/opener.ts';

const LONG_MS = 5_000;
const closed = new AppError('ERR_STREAM_RESET', 'stream: ended before its head');

function makeFake(name: string, isUsed: boolean) {
  const fake = {
    ...{ name, socket: undefined as never, isUsed, isOpen: true, answeredMs: performance.now(), destroyed: false },
    ask: () => assert.fail('nobody asks'),
    askForTunnel: () => assert.fail('nobody asks'),
    destroy: () => void (fake.destroyed = true),
  };
  return fake;
}

describe('makeOpener', () => {
  let dials: string[];
  let answer: Dialled | undefined;
  let opener: ReturnType<typeof makeOpener>;
  let kept: ReturnType<typeof makeKeptConnections>;
  const nameOf = (connection: GatewayConnection): string => (connection as ReturnType<typeof makeFake>).name;

  beforeEach(() => {
    dials = [];
    answer = undefined;
    kept = makeKeptConnections({ now: () => performance.now() });
    opener = makeOpener({
      ...{ peer: 'west', address: 'gw:443', now: () => performance.now(), kept },
      connect() {
        dials.push('dial');
        return Promise.resolve(answer ?? { ok: true, connection: makeFake('new', false) });
      },
    });
  });
  const runs = (results: readonly (Error | 'ok')[]) => {
    const over: string[] = [];
    const run = (connection: GatewayConnection): Promise<{ readonly ok: true }> => {
      const result = results[over.length];
      over.push(nameOf(connection));
      return result instanceof Error ? Promise.reject(result) : Promise.resolve({ ok: true });
    };
    return { over, run };
  };

  it('one is kept → it is used, and nothing is dialled', async () => {
    kept.keep(makeFake('kept', true));
    const { over, run } = runs(['ok']);
    assert.deepEqual(await opener.run(LONG_MS, run), { ok: true });
    assert.deepEqual([over, dials], [['kept'], []]);
  });

  for (const [what, error] of [
    ['was being closed', closed],
    ['was reset', new Error('read ECONNRESET')],
  ] as const) {
    it(`the one that is kept ${what} → once more over a new one`, async () => {
      kept.keep(makeFake('kept', true));
      const { over, run } = runs([error, 'ok']);
      assert.deepEqual(await opener.run(LONG_MS, run), { ok: true });
      assert.deepEqual(over, ['kept', 'new']);
    });
  }

  it('a new one is closed without an answer → PEER_UNREACHABLE, once', async () => {
    const { over, run } = runs([closed]);
    const outcome = await opener.run(LONG_MS, run);
    assert.equal(outcome.ok ? 'yes' : outcome.reason, 'PEER_UNREACHABLE');
    assert.deepEqual(over, ['new']);
  });

  it('no answer in time → overdue, and not tried again', async () => {
    kept.keep(makeFake('kept', true));
    const { over, run } = runs([new AppError('ERR_TIMEOUT', 'late')]);
    const outcome = await opener.run(LONG_MS, run);
    assert.equal(outcome.ok ? undefined : outcome.overdue, true);
    assert.deepEqual(over, ['kept']);
  });

  it('an answer that is none → MALFORMED, and not tried again', async () => {
    kept.keep(makeFake('kept', true));
    const { over, run } = runs([new AppError('ERR_MALFORMED', 'head: no')]);
    const outcome = await opener.run(LONG_MS, run);
    assert.equal(outcome.ok ? 'yes' : outcome.reason, 'MALFORMED');
    assert.deepEqual(over, ['kept']);
  });

  it('cannot be dialled → the reason of the dial', async () => {
    answer = { ok: false, reason: 'CERT_EXPIRED', message: 'expired' };
    const outcome = await opener.run(LONG_MS, runs([]).run);
    assert.deepEqual(outcome, answer);
  });

  it('as many are being opened as may be → the next one waits, and has had no place when its time is over', async () => {
    const gate = Promise.withResolvers<{ readonly ok: true }>();
    const first = Array.from({ length: OPENING_PER_GATEWAY_MAX }, () => opener.run(LONG_MS, () => gate.promise));
    const late = await opener.run<{ readonly ok: true }>(5, () => assert.fail('it has no place'));
    assert.deepEqual(late.ok ? 'yes' : [late.reason, late.unasked, late.overdue], ['OVERLOADED', true, undefined]);
    const next = opener.run(LONG_MS, () => Promise.resolve({ ok: true }));
    gate.resolve({ ok: true });
    assert.deepEqual(await next, { ok: true });
    assert.equal((await Promise.all(first)).length, OPENING_PER_GATEWAY_MAX);
  });

  it('the gateway is lost → what is being opened is given up now', async () => {
    const fake = makeFake('kept', true);
    kept.keep(fake);
    const gate = Promise.withResolvers<never>();
    const outcome = opener.run(LONG_MS, () => gate.promise);
    await new Promise((resolve) => setImmediate(resolve));
    opener.giveUp();
    assert.equal(fake.destroyed, true);
    answer = { ok: false, reason: 'PEER_UNREACHABLE', message: 'given up' };
    gate.reject(closed);
    assert.deepEqual(await outcome, answer);
  });
});
