import assert from 'node:assert/strict';
import type { X509Certificate } from 'node:crypto';
import { EventEmitter } from 'node:events';
import type { TLSSocket } from 'node:tls';
import type { PeerIdentity } from '#src/fabric/files.ts';
import { RESUMED_MS_MAX } from '#src/gateway/clusterlink/limits.ts';
import { makeTickets, type Proof, type TicketUse, type Tickets } from '#src/gateway/clusterlink/tickets.ts';

const identityOf = (peer: string): PeerIdentity => ({ peer }) as PeerIdentity;
const certificate = { subject: 'CN=west' } as X509Certificate;

describe('makeTickets', () => {
  const east = identityOf('east');
  const session = Buffer.from('session');
  let nowMs: number;
  let tickets: Tickets;
  const use: TicketUse = { identity: east, caPem: 'root', isTrusted: () => true };
  const proofAt = (provenMs: number): Proof => ({ certificate, provenMs, identity: east, caPem: 'root' });

  /** The other end of a connection that is collected from. */
  function connectionOf(proof: Proof): EventEmitter {
    const socket = new EventEmitter();
    tickets.collect(socket as unknown as TLSSocket, proof);
    return socket;
  }

  beforeEach(() => {
    nowMs = 1_000;
    tickets = makeTickets({ now: () => nowMs });
  });

  it('nothing has come yet → a full handshake', () => {
    connectionOf(proofAt(nowMs));
    assert.equal(tickets.find(use), undefined);
  });

  it('a ticket → used again and again, with the certificate that was proved', () => {
    connectionOf(proofAt(nowMs)).emit('session', session);
    assert.equal(tickets.find(use)?.session, session);
    assert.equal(tickets.find(use)?.proof.certificate, certificate);
  });

  for (const [what, changed] of [
    ['this peer has another certificate', { identity: identityOf('east') }],
    ['other roots vouch for the peer', { caPem: 'another root' }],
    ['its certificate is believed no more', { isTrusted: () => false }],
  ] as const) {
    it(`${what} → a full handshake, also when that is taken back`, () => {
      connectionOf(proofAt(nowMs)).emit('session', session);
      assert.equal(tickets.find({ ...use, ...changed }), undefined);
      assert.equal(tickets.find(use), undefined);
    });
  }

  it('the full handshake is a minute ago → another one, whatever tickets came over resumed ones', () => {
    const proof = proofAt(nowMs);
    connectionOf(proof).emit('session', session);
    nowMs += RESUMED_MS_MAX;
    const resumed = tickets.find(use);
    assert.notEqual(resumed, undefined);
    connectionOf(resumed?.proof ?? proof).emit('session', Buffer.from('newer'));
    nowMs += 1;
    assert.equal(tickets.find(use), undefined);
  });

  it('a ticket of a handshake before the last one → does not take its place', () => {
    const older = connectionOf(proofAt(500));
    connectionOf(proofAt(900)).emit('session', session);
    older.emit('session', Buffer.from('older'));
    assert.equal(tickets.find(use)?.session, session);
  });

  it('a connection that fails before the gateway has given a ticket → a full handshake; after it → no matter', () => {
    const given = connectionOf(proofAt(nowMs)).on('error', () => undefined);
    given.emit('session', session);
    given.emit('error', new Error('read ECONNRESET'));
    assert.equal(tickets.find(use)?.session, session);
    connectionOf(proofAt(nowMs)).emit('error', new Error('alert'));
    assert.equal(tickets.find(use), undefined);
  });

  it('dropped → a full handshake', () => {
    connectionOf(proofAt(nowMs)).emit('session', session);
    tickets.drop();
    assert.equal(tickets.find(use), undefined);
  });
});
