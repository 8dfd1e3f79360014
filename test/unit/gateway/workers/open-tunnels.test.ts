import assert from 'node:assert/strict';
import type { ClosingRecord, ConnectionSubject } from '#src/gateway/messages.ts';
import { makeOpenTunnels } from '#src/gateway/workers/open-tunnels.ts';

const subject: ConnectionSubject = { connection: 'c1', direction: 'ingress', object: 'shop/db', peer: 'west' };
const record = (changes: Partial<ClosingRecord> = {}): ClosingRecord => ({
  ...subject,
  reason: 'DONE',
  opened: true,
  message: '',
  sentBytes: 1,
  receivedBytes: 2,
  durationMs: 3,
  ...changes,
});

describe('makeOpenTunnels', () => {
  it('a worker is lost → one record for each connection that it had open, and none for those that had ended', () => {
    let nowMs = 100;
    const tunnels = makeOpenTunnels(() => nowMs);
    tunnels.opened(subject);
    tunnels.opened({ ...subject, connection: 'c2' });
    tunnels.closed(record());
    nowMs = 350;
    const lost = tunnels.lose();
    assert.deepEqual(
      lost.map(({ connection, reason, opened, durationMs }) => ({ connection, reason, opened, durationMs })),
      [{ connection: 'c2', reason: 'WORKER_LOST', opened: true, durationMs: 250 }],
    );
    assert.equal(tunnels.count, 0);
    assert.deepEqual(tunnels.lose(), []);
  });

  it('a peer gives two connections one id → both count, each end is one of them', () => {
    const tunnels = makeOpenTunnels(() => 0);
    tunnels.opened(subject);
    tunnels.opened(subject);
    tunnels.closed(record());
    assert.equal(tunnels.count, 1);
    assert.equal(tunnels.lose().length, 1);
  });

  it('a refusal, and the end of one that was never opened → nothing', () => {
    const tunnels = makeOpenTunnels(() => 0);
    tunnels.opened(subject);
    tunnels.closed(record({ opened: false }));
    tunnels.closed(record({ connection: 'other' }));
    assert.equal(tunnels.count, 1);
  });
});
