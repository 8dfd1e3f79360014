import assert from 'node:assert/strict';
import type { GatewaySnapshot, ImportObservation, PeerObservation, UpMessage } from '#src/gateway/messages.ts';
import { makeSight, makeView, type Sight } from '#src/gateway/workers/view.ts';

const here: PeerObservation = { name: 'east', sessions: 1, version: '1', message: '' };
const away: PeerObservation = { name: 'east', sessions: 0, reason: 'PEER_UNREACHABLE', message: 'refused' };
const source = { peer: 'east', namespace: 'shop', name: 'db' };
const observation = (usable: boolean): ImportObservation => ({
  key: { namespace: 'store', name: 'db' },
  listeners: [],
  sources: [{ ...source, usable }],
});

function makeStage() {
  const said: UpMessage[] = [];
  const [a, b] = [makeSight(), makeSight()];
  let counting: Sight[] = [a, b];
  const view = makeView({ sights: () => counting, everybody: () => [a, b], say: (message) => void said.push(message) });
  return { view, a, b, said: () => said.splice(0), count: (...sights: Sight[]) => void (counting = sights) };
}

describe('makeView', () => {
  it('a peer is reached by one worker, then by both, then by one → told when it is another gateway-wide fact', () => {
    const { view, a, b, said } = makeStage();
    view.digest(a, { kind: 'peer', peer: away });
    view.digest(b, { kind: 'peer', peer: away });
    assert.deepEqual(said(), [{ kind: 'peer', peer: away }]);
    view.digest(b, { kind: 'peer', peer: here });
    assert.deepEqual(said(), [{ kind: 'peer', peer: here }]);
    view.digest(a, { kind: 'peer', peer: here });
    assert.deepEqual(said(), [{ kind: 'peer', peer: { ...here, sessions: 2 } }]);
    view.digest(b, { kind: 'peer', peer: away });
    assert.deepEqual(said(), [{ kind: 'peer', peer: here }]);
  });

  it('a Peer object is gone → told once, when the last worker has said so', () => {
    const { view, a, b, said } = makeStage();
    const gone: PeerObservation = { name: 'east', sessions: 0, reason: 'PEER_UNKNOWN', message: 'gone' };
    view.digest(a, { kind: 'peer', peer: here });
    view.digest(b, { kind: 'peer', peer: here });
    said();
    view.digest(a, { kind: 'peer', peer: gone });
    assert.deepEqual(said(), [{ kind: 'peer', peer: here }]);
    view.digest(b, { kind: 'peer', peer: gone });
    assert.deepEqual(said(), [{ kind: 'peer', peer: gone }]);
  });

  it('the worker that alone reached a peer is lost → the word of the others; the last one is lost → WORKER_LOST', () => {
    const { view, a, b, said, count } = makeStage();
    view.digest(a, { kind: 'peer', peer: here });
    view.digest(b, { kind: 'peer', peer: away });
    said();
    count(b);
    view.forget(a);
    assert.deepEqual(said(), [{ kind: 'peer', peer: away }]);
    count();
    view.forget(b);
    const [told] = said();
    assert.equal(told?.kind === 'peer' && told.peer.reason, 'WORKER_LOST');
  });

  it('a source is put last by both workers → told once, and once when both have it back', () => {
    const { view, a, b, said } = makeStage();
    const last = { source, ejected: { reason: 'DIAL_FAILED', message: '' } } as const;
    view.digest(a, { kind: 'ejection', change: last });
    view.digest(b, { kind: 'ejection', change: last });
    assert.deepEqual(said(), [{ kind: 'ejection', change: last }]);
    view.digest(a, { kind: 'ejection', change: { source } });
    assert.deepEqual(said(), []);
    view.forget(b);
    assert.deepEqual(said(), [{ kind: 'ejection', change: { source } }]);
  });

  it('an import that a snapshot has no more → forgotten: it is told anew when it is back', () => {
    const { view, a, said } = makeStage();
    view.digest(a, { kind: 'import', import: observation(true) });
    view.digest(a, { kind: 'import', import: observation(true) });
    assert.equal(said().length, 1);
    view.retain({ imports: [] } as unknown as GatewaySnapshot);
    assert.equal(a.imports.size, 0);
    view.digest(a, { kind: 'import', import: observation(true) });
    assert.equal(said().length, 1);
  });
});
