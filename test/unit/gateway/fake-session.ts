/** A session of peer east in which nothing happens but what a test sets. */
import assert from 'node:assert/strict';
import type { PeerSession } from '#src/gateway/session.ts';

export interface FakeSession extends PeerSession {
  draining: boolean;
  full: boolean;
  busy: boolean;
  rttMs: number | undefined;
  destroyed: boolean;
}

export function makeSession(changes: Partial<FakeSession> = {}): FakeSession {
  const session: FakeSession = {
    form: 'session',
    peer: 'east',
    certificate: undefined,
    ends: undefined,
    hello: { peer: 'east', epoch: 'e', instance: 'i', version: '1.0.0', features: [], streams: 10 },
    draining: false,
    full: false,
    busy: false,
    rttMs: undefined,
    destroyed: false,
    openStream: () => assert.fail('nobody opens streams here'),
    tellClosed: () => undefined,
    toldOf: () => undefined,
    explainCut: () => Promise.resolve(undefined),
    drain: () => undefined,
    retire: () => void (session.draining = true),
    close: () => undefined,
    destroy: () => void (session.destroyed = true),
    ...changes,
  };
  return session;
}
