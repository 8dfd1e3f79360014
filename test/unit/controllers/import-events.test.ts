import assert from 'node:assert/strict';
import type { IPeer } from '#src/api/generated/Peer.ts';
import { eventsOf, makeImportTeller, type ImportEvent } from '#src/controllers/import/events.ts';
import { written } from '../merge/fixtures.ts';

const CART = written('shop/cart', []);

function eventWith(note: string, reason = 'NameTaken'): ImportEvent {
  return { regarding: CART, type: 'Warning', reason, note };
}

describe('makeImportTeller', () => {
  it('the same again → told once; another note, or after it was well → told again', () => {
    const heard: string[] = [];
    const { tell } = makeImportTeller(({ reason, note }) => heard.push(`${reason} ${note}`));
    tell([eventWith('a'), eventWith('b', 'PeerNotFound')]);
    tell([eventWith('a'), eventWith('b', 'PeerNotFound')]);
    assert.deepEqual(heard.splice(0), ['NameTaken a', 'PeerNotFound b']);
    tell([eventWith('c')]);
    assert.deepEqual(heard.splice(0), ['NameTaken c']);
    tell([]);
    tell([eventWith('c')]);
    assert.deepEqual(heard, ['NameTaken c']);
  });
});

describe('eventsOf', () => {
  const peer: IPeer = {
    apiVersion: 'clusterlink.net/v1alpha1',
    kind: 'Peer',
    metadata: { name: 'cl', uid: 'cl', annotations: { 'mcs.clusterlink.net/exports': 'shop/db' } },
    spec: { gateways: [] },
  };
  const caches = {
    Import: { get: () => CART },
    ServiceImport: { get: () => undefined },
    Peer: { list: () => [peer] },
  } as unknown as Parameters<typeof eventsOf>[1];

  it('an Import that was refused, a Peer whose declaration cannot be read → a warning each, with a remedy', () => {
    const key = { namespace: 'shop', name: 'cart' };
    const refusal = { reason: 'TargetPortTaken' as const, message: 'Taken. Fix: another.' };
    const events = eventsOf({ unmet: [], importStatuses: [{ key, conditions: [], refusal }] }, caches);
    assert.deepEqual(
      events.map(({ regarding, type, reason }) => [regarding.kind, type, reason]),
      [
        ['Import', 'Warning', 'TargetPortTaken'],
        ['Peer', 'Warning', 'InvalidExports'],
      ],
    );
    for (const { note } of events) assert.match(note, /Fix: /);
  });
});
