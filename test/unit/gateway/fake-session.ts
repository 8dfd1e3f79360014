/** A session of peer east in which nothing happens but what a test sets. */
import assert from 'node:assert/strict';
import { makeAccount } from '#src/gateway/account.ts';
import type { PeerSession } from '#src/gateway/session.ts';

export interface FakeSession extends PeerSession {
  draining: boolean;
  full: boolean;
  busy: boolean;
  streams: number;
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
    streams: 0,
    rttMs: undefined,
    silentMs: 0,
    memory: makeAccount().of('east'),
    destroyed: false,
    openStream: () => assert.fail('nobody opens streams here'),
    tellClosed: () => undefined,
    tellUnserved: () => undefined,
    withdraw: () => undefined,
    isWithdrawn: () => false,
    onWithdrawn: () => () => undefined,
    toldOf: () => undefined,
    explainCut: () => Promise.resolve(undefined),
    drain: () => undefined,
    isDelivered: () => Promise.resolve(true),
    retire: () => void (session.draining = true),
    close: () => undefined,
    destroy: () => void (session.destroyed = true),
    ...changes,
  };
  return session;
}
