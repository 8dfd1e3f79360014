import assert from 'node:assert/strict';
import { EXCHANGES_PER_PEER_MAX } from '#src/gateway/limits.ts';
import type { DownMessage, Foresight, UpMessage } from '#src/gateway/messages.ts';
import { makeAsked } from '#src/gateway/workers/asked.ts';
import { makeClientRecord } from '#src/gateway/workers/client-record.ts';
import { makeExchangeRoutes } from '#src/gateway/workers/exchange-routes.ts';
import { compilePolicies } from '#src/policy/compile.ts';

function makeWorker() {
  const heard: DownMessage[] = [];
  return { heard, post: (message: DownMessage) => void heard.push(message) };
}
const policies = compilePolicies({ privileged: [], regular: [], baseline: [] });
const foresight: Foresight = { open: 1, cuts: [], cutsTotal: 0, unasked: 0, admissions: [] };

describe('makeAsked', () => {
  it('a question to two workers → one answer, when both have answered', () => {
    const said: UpMessage[] = [];
    const asked = makeAsked((message) => void said.push(message));
    const [a, b] = [makeWorker(), makeWorker()];
    asked.foresee({ kind: 'foresee', id: 'q', policies }, [a, b]);
    asked.answer(a, { kind: 'foreseen', id: 'q', foresight });
    assert.deepEqual(said, []);
    asked.answer(b, { kind: 'foreseen', id: 'q', foresight });
    assert.deepEqual(said, [{ kind: 'foreseen', id: 'q', foresight: { ...foresight, open: 2 } }]);
  });

  it('a worker is lost before it answers → the others answer; a probe of it fails; nobody is there → both at once', () => {
    const said: UpMessage[] = [];
    const asked = makeAsked((message) => void said.push(message));
    const [a, b] = [makeWorker(), makeWorker()];
    asked.foresee({ kind: 'foresee', id: 'q', policies }, [a, b]);
    asked.answer(a, { kind: 'foreseen', id: 'q', foresight });
    const source = { peer: 'east', namespace: 'shop', name: 'db' };
    const probe = {
      kind: 'probe',
      id: 'p',
      client: { unidentified: 'no-pod' },
      source,
      port: 1,
      mode: 'dial',
    } as const;
    asked.probe(probe, b);
    asked.forget(b);
    asked.probe({ ...probe, id: 'p2' }, undefined);
    asked.foresee({ kind: 'foresee', id: 'q2', policies }, []);
    assert.deepEqual(
      said.map((message) => [message.kind, 'id' in message && message.id]),
      [
        ['foreseen', 'q'],
        ['probed', 'p'],
        ['probed', 'p2'],
        ['foreseen', 'q2'],
      ],
    );
  });
});

describe('makeExchangeRoutes', () => {
  it('lines follow their stream; the worker is lost → it is closed, and nothing follows it', () => {
    const said: UpMessage[] = [];
    const routes = makeExchangeRoutes((message) => void said.push(message));
    const worker = makeWorker();
    const ref = { peer: 'east', channel: 'c' };
    routes.open(ref, worker);
    routes.pass({ kind: 'exchange-line', ...ref, line: 1 });
    assert.deepEqual(
      worker.heard.map(({ kind }) => kind),
      ['exchange-open', 'exchange-line'],
    );
    routes.forget(worker);
    routes.pass({ kind: 'exchange-line', ...ref, line: 2 });
    assert.equal(worker.heard.length, 2);
    assert.deepEqual(said, [{ kind: 'exchange-closed', ...ref, reason: 'its worker process has ended' }]);
  });

  it('no worker serves → closed at once', () => {
    const said: UpMessage[] = [];
    makeExchangeRoutes((message) => void said.push(message)).open({ peer: 'east', channel: 'c' }, undefined);
    assert.equal(said[0]?.kind, 'exchange-closed');
  });

  it('a peer opens one more than it may, each with another worker → the oldest is closed', () => {
    const routes = makeExchangeRoutes(() => undefined);
    const workers = Array.from({ length: EXCHANGES_PER_PEER_MAX + 1 }, makeWorker);
    workers.forEach((worker, index) =>
      routes.digest(worker, { kind: 'exchange-opened', side: 'server', peer: 'east', channel: `c${index}` }),
    );
    assert.deepEqual(
      workers.map(({ heard }) => heard.length),
      workers.map((_, index) => (index === 0 ? 1 : 0)),
    );
  });
});

describe('makeClientRecord', () => {
  const identity = { namespace: 'shop', serviceAccount: 'web', labels: {} };

  it('nothing was said → nothing to tell; changes → the whole of it', () => {
    const record = makeClientRecord();
    assert.deepEqual(record.messages(), []);
    record.apply({ kind: 'clients', full: true, set: [['10.0.0.1', identity]], remove: [] });
    record.apply({ kind: 'clients', full: false, set: [['10.0.0.2', identity]], remove: ['10.0.0.1'] });
    assert.deepEqual(record.messages(), [{ kind: 'clients', full: true, set: [['10.0.0.2', identity]], remove: [] }]);
  });
});
