import assert from 'node:assert/strict';
import type { KubeObject } from '#src/api/object.ts';
import type { JsonMap } from '#src/store/json.ts';
import { makeEventRecorder, type RecordedEvent } from '#src/store/kubernetes/event-recorder.ts';
import {
  EVENT_BURST_MAX,
  EVENT_NOTE_CHARS_MAX,
  EVENT_REFILL_MS,
  EVENT_SERIES_LIFE_MS,
  EVENTS_WAITING_MAX,
} from '#src/store/kubernetes/limits.ts';
import { makeManualClock, makeScriptedServer, statusOf, unreachable } from './scripted-server.ts';

const CREATED = { status: 201, body: {} };
const OK = { status: 200, body: {} };

function make() {
  const server = makeScriptedServer();
  const clock = makeManualClock();
  const warnings: object[] = [];
  const recorder = makeEventRecorder({
    access: server,
    component: 'mcs.clusterlink.net/controller',
    instance: 'controller-1',
    logger: { info: () => undefined, warn: (fields) => warnings.push(fields) },
    clock,
    wallMs: () => Date.UTC(2026, 0, 2, 3, 4, 5, 678),
  });
  server.answer(CREATED, OK);
  return { server, clock, recorder, warnings };
}

function objectOf(name: string, { version }: { version: number }): KubeObject {
  const metadata = { namespace: 'shop', name, uid: `uid of ${name}`, resourceVersion: String(version) };
  return { apiVersion: 'multicluster.x-k8s.io/v1beta1', kind: 'ServiceExport', metadata };
}

function event(parts: Partial<RecordedEvent> = {}): RecordedEvent {
  const regarding = objectOf('db', { version: 3 });
  return {
    regarding,
    type: 'Warning',
    reason: 'NoService',
    action: 'Export',
    note: 'There is no Service shop/db.',
    ...parts,
  };
}

describe('makeEventRecorder', () => {
  it('an event → created beside its object, with all that the API requires', async () => {
    const { server, recorder } = make();
    recorder.record(
      event({ related: { apiVersion: 'v1', kind: 'Service', metadata: { name: 'db', namespace: 'shop' } } }),
    );
    await recorder.idle();
    const { metadata, ...body } = server.bodies[0] as JsonMap & { metadata: { name: string } };
    assert.match(metadata.name, /^db\.[0-9a-f-]{18}$/);
    assert.deepEqual(server.requests, ['POST /apis/events.k8s.io/v1/namespaces/shop/events']);
    assert.deepEqual(body, {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      eventTime: '2026-01-02T03:04:05.678000Z',
      reportingController: 'mcs.clusterlink.net/controller',
      reportingInstance: 'controller-1',
      type: 'Warning',
      reason: 'NoService',
      action: 'Export',
      note: 'There is no Service shop/db.',
      regarding: {
        apiVersion: 'multicluster.x-k8s.io/v1beta1',
        kind: 'ServiceExport',
        namespace: 'shop',
        name: 'db',
        uid: 'uid of db',
        resourceVersion: '3',
      },
      related: { apiVersion: 'v1', kind: 'Service', namespace: 'shop', name: 'db' },
    });
  });

  it('the same again → counted in the same object; another note, or after a while → another', async () => {
    const { server, clock, recorder } = make();
    for (let count = 0; count < 3; count += 1) recorder.record(event());
    await recorder.idle();
    assert.deepEqual(
      server.requests.map((request) => request.split(' ')[0]),
      ['POST', 'PATCH', 'PATCH'],
    );
    assert.deepEqual(server.bodies[2], { series: { count: 3, lastObservedTime: '2026-01-02T03:04:05.678000Z' } });
    server.answer(CREATED);
    recorder.record(event({ note: 'Another.' }));
    await clock.advance(EVENT_SERIES_LIFE_MS);
    recorder.record(event());
    await recorder.idle();
    assert.deepEqual(
      server.requests.slice(3).map((request) => request.split(' ')[0]),
      ['POST', 'POST'],
    );
  });

  it('an object that the server has forgotten (404) → made anew', async () => {
    const { server, recorder } = make();
    server.answer(CREATED, statusOf(404, 'NotFound'), CREATED);
    recorder.record(event());
    recorder.record(event());
    await recorder.idle();
    assert.deepEqual([server.requests.length, recorder.dropped], [3, 0]);
  });

  it(`more than ${EVENT_BURST_MAX} about one object → dropped and counted; one more each ${EVENT_REFILL_MS} ms; others go on`, async () => {
    const { server, clock, recorder } = make();
    server.answer(CREATED);
    for (let count = 0; count < EVENT_BURST_MAX + 5; count += 1) recorder.record(event({ note: `Note ${count}.` }));
    await recorder.idle();
    assert.deepEqual([server.requests.length, recorder.dropped], [EVENT_BURST_MAX, 5]);
    recorder.record(event({ regarding: objectOf('web', { version: 1 }) }));
    await clock.advance(EVENT_REFILL_MS);
    recorder.record(event({ note: 'Later.' }));
    recorder.record(event({ note: 'Too early.' }));
    await recorder.idle();
    assert.deepEqual([server.requests.length, recorder.dropped], [EVENT_BURST_MAX + 2, 6]);
  });

  it(`more than ${EVENTS_WAITING_MAX} waiting → dropped and counted`, async () => {
    const { server, recorder } = make();
    server.answer(CREATED);
    for (let count = 0; count < EVENTS_WAITING_MAX + 3; count += 1) {
      recorder.record(event({ regarding: objectOf(`db-${count}`, { version: 1 }) }));
    }
    await recorder.idle();
    assert.deepEqual([server.requests.length, recorder.dropped], [EVENTS_WAITING_MAX, 3]);
  });

  it('refused, or nobody there → dropped, counted, said once; never thrown', async () => {
    const { server, recorder, warnings } = make();
    server.answer(statusOf(403, 'Forbidden'), unreachable());
    recorder.record(event());
    recorder.record(event());
    await recorder.idle();
    assert.deepEqual([recorder.dropped, warnings.length], [2, 1]);
  });

  it('a cluster-scoped object, a long name, a long note → the namespace default, a name and a note that pass', async () => {
    const { server, recorder } = make();
    const regarding = { apiVersion: 'v1', kind: 'Node', metadata: { name: `${'n'.repeat(199)}.${'m'.repeat(50)}` } };
    recorder.record(event({ regarding, note: 'x'.repeat(EVENT_NOTE_CHARS_MAX + 1) }));
    await recorder.idle();
    const { metadata, note } = server.bodies[0] as { metadata: { name: string; namespace: string }; note: string };
    assert.equal(metadata.namespace, 'default');
    assert.match(metadata.name, /^n{199}\.[0-9a-f-]{18}$/);
    assert.equal(note.length, EVENT_NOTE_CHARS_MAX);
  });
});
