import assert from 'node:assert/strict';
import { makeExchangeBridge } from '#src/cli/run/exchange-bridge.ts';
import type { DownMessage } from '#src/gateway/messages.ts';
import { makeManualClock } from '#test/unit/exchange/samples.ts';

describe('makeExchangeBridge', () => {
  /** A stream whose owner asks for this rest after each line. */
  function carry(restMs: number) {
    const clock = makeManualClock();
    const posted: DownMessage[] = [];
    const bridge = makeExchangeBridge((message) => posted.push(message), clock);
    const ignore = (): void => undefined;
    const handlers = { onOpened: ignore, onWritable: ignore, onClosed: ignore, onLine: () => restMs };
    bridge.open('east', handlers);
    const [open] = posted;
    assert.ok(open?.kind === 'exchange-open');
    const { peer, channel } = open;
    return {
      clock,
      line: () => bridge.digest({ kind: 'exchange-line', peer, channel, line: {} }),
      close: () => bridge.digest({ kind: 'exchange-closed', peer, channel, reason: '' }),
      consumed: () => posted.filter(({ kind }) => kind === 'exchange-consumed').length,
    };
  }

  it('no rest is asked for → the next line may come at once', () => {
    const stream = carry(0);
    stream.line();
    assert.equal(stream.consumed(), 1);
  });

  it('a rest is asked for → the next line is left with the peer for as long', () => {
    const stream = carry(40);
    stream.line();
    stream.clock.advance(39);
    assert.equal(stream.consumed(), 0);
    stream.clock.advance(1);
    assert.equal(stream.consumed(), 1);
  });

  it('the stream ends during the rest → nothing more is said of it', () => {
    const stream = carry(40);
    stream.line();
    stream.close();
    stream.clock.advance(100);
    assert.equal(stream.consumed(), 0);
  });
});
