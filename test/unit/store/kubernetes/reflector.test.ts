import assert from 'node:assert/strict';
import { AppError } from '#src/api/errors.ts';
import {
  EVENT_BYTES_MAX,
  LIST_PAGE_OBJECTS,
  RELIST_MAX_MS,
  RELIST_MIN_MS,
  WATCH_SECONDS_MAX,
  WATCH_SECONDS_MIN,
  WATCH_SILENCE_MS,
} from '#src/store/kubernetes/limits.ts';
import { startReflector, type Reflector } from '#src/store/kubernetes/reflector.ts';
import type { StoreEvent } from '#src/store/kubernetes/store-event.ts';
import {
  exportOf,
  makeManualClock,
  makeScriptedServer,
  pageOf,
  settle,
  statusOf,
  unreachable,
} from './scripted-server.ts';

const PATH = '/apis/multicluster.x-k8s.io/v1beta1/serviceexports';
let reflector: Reflector | undefined;

function start({ random = 0.5, isServed = true, selector = undefined as string | undefined } = {}) {
  const server = makeScriptedServer();
  const clock = makeManualClock();
  const told: string[] = [];
  const problems: string[] = [];
  const events: StoreEvent[] = [];
  let served = isServed ? PATH : undefined;
  const name = (received: { object: { metadata?: { name?: string } } }): string => received.object.metadata?.name ?? '';
  reflector = startReflector({
    kind: 'ServiceExport',
    selector,
    transport: server,
    resolve: () => Promise.resolve(served),
    clock,
    random: () => random,
    onEvent: (event) => events.push(event),
    sink: {
      replaced: (objects) => told.push(`replaced ${objects.map(name).join(' ')}`.trim()),
      changed: (object) => told.push(`changed ${name(object)}`),
      deleted: (object) => told.push(`deleted ${name(object)}`),
      failed: (failure) => problems.push(failure?.reason ?? 'none'),
    },
  });
  // Not yet asked anything: the test says first what the server answers.
  return { server, clock, told, problems, events, serve: (next: string | undefined) => (served = next) };
}

const failures = (events: readonly StoreEvent[]): string[] =>
  events.flatMap((event) => ('reason' in event ? [`${event.type} ${event.reason}`] : []));

describe('startReflector', () => {
  afterEach(() => {
    reflector?.close();
    reflector = undefined;
  });

  it('a label selector → of the list and of the watch', async () => {
    const { server } = start({ selector: 'app.kubernetes.io/managed-by!=x' });
    server.answer(pageOf(7, []));
    await settle();
    const [list = ''] = server.requests;
    assert.equal(
      new URL(list.slice(4), 'https://server').searchParams.get('labelSelector'),
      'app.kubernetes.io/managed-by!=x',
    );
    assert.equal(server.watch().query.get('labelSelector'), 'app.kubernetes.io/managed-by!=x');
  });

  it('a list of three pages → one replacement, then a watch from the version of the list, with bookmarks', async () => {
    const { server, told } = start();
    server.answer(
      pageOf(7, [exportOf('a', { version: 1 })], 'c1'),
      pageOf(7, [exportOf('b', { version: 2 })], 'c2'),
      pageOf(7, [exportOf('c', { version: 3 })]),
    );
    await settle();
    assert.deepEqual(told, ['replaced a b c']);
    assert.deepEqual(server.requests, [
      `GET ${PATH}?limit=${LIST_PAGE_OBJECTS}`,
      `GET ${PATH}?limit=${LIST_PAGE_OBJECTS}&continue=c1`,
      `GET ${PATH}?limit=${LIST_PAGE_OBJECTS}&continue=c2`,
    ]);
    const { query } = server.watch();
    assert.deepEqual(
      [query.get('watch'), query.get('resourceVersion'), query.get('allowWatchBookmarks')],
      ['true', '7', 'true'],
    );
  });

  for (const [random, seconds] of [
    [0, WATCH_SECONDS_MIN],
    [1, WATCH_SECONDS_MAX],
  ] as const) {
    it(`chance ${random} → the server is asked to end the watch after ${seconds} s`, async () => {
      const { server } = start({ random });
      server.answer(pageOf(1, []));
      await settle();
      assert.equal(server.watch().query.get('timeoutSeconds'), String(seconds));
    });
  }

  it('events → told in their order; a clean end → watched again from the last version, bookmarks count', async () => {
    const { server, told, clock, events } = start();
    server.answer(pageOf(1, []));
    await settle();
    const watch = server.watch();
    await watch.event('ADDED', exportOf('a', { version: 5 }));
    await watch.event('MODIFIED', exportOf('a', { version: 6 }));
    await watch.event('DELETED', exportOf('a', { version: 8 }));
    await watch.event('BOOKMARK', { kind: 'ServiceExport', metadata: { resourceVersion: '12' } });
    assert.deepEqual(told, ['replaced', 'changed a', 'changed a', 'deleted a']);
    await watch.end();
    assert.equal(server.watches.length, 2, 'after progress there is no wait');
    assert.equal(server.watch().query.get('resourceVersion'), '12');
    assert.deepEqual([failures(events), server.requests.length], [[], 1]);
    await clock.advance(1);
  });

  it('an event in many pieces, two in one, empty lines → each event once', async () => {
    const { server, told } = start();
    server.answer(pageOf(1, []));
    await settle();
    const lines = ['a', 'b', 'c'].map((name, index) =>
      JSON.stringify({ type: 'ADDED', object: exportOf(name, { version: index + 2 }) }),
    );
    const text = `${lines[0]}\n\n${lines[1]}\n${lines[2]}\n`;
    for (let at = 0; at < text.length; at += 17) await server.watch().bytes(text.slice(at, at + 17));
    assert.deepEqual(told, ['replaced', 'changed a', 'changed b', 'changed c']);
  });

  it('a cut in the middle of an event → watched again from the last whole one; nothing is deleted', async () => {
    const { server, told, clock, events } = start();
    server.answer(pageOf(1, [exportOf('old', { version: 1 })]));
    await settle();
    await server.watch().event('ADDED', exportOf('a', { version: 5 }));
    await server.watch().bytes('{"type":"DELETED","object":{"metadata":{"na');
    await server.watch().cut();
    await clock.advance(RELIST_MIN_MS);
    assert.equal(server.watch().query.get('resourceVersion'), '5');
    assert.deepEqual(told, ['replaced old', 'changed a']);
    assert.deepEqual(failures(events), ['watch-failed cut']);
    assert.equal(server.requests.length, 1, 'no second list');
  });

  for (const [how, act] of [
    [
      'an ERROR event 410',
      (server: ReturnType<typeof makeScriptedServer>) => server.watch().event('ERROR', statusOf(410, 'Expired').body),
    ],
    [
      'the status 410',
      async (server: ReturnType<typeof makeScriptedServer>) => {
        server.refuseWatch(statusOf(410, 'Expired'));
        await server.watch().end();
      },
    ],
  ] as const) {
    it(`${how} → listed again, replaced as a whole, no deletion in between`, async () => {
      const { server, told, clock } = start();
      server.answer(pageOf(1, [exportOf('a', { version: 1 })]), pageOf(9, [exportOf('b', { version: 9 })]));
      await settle();
      await act(server);
      await clock.advance(2 * RELIST_MIN_MS);
      assert.deepEqual(told, ['replaced a', 'replaced b']);
      assert.equal(server.watch().query.get('resourceVersion'), '9');
    });
  }

  it('410 after an outage → listed again at once; another one before any event → waited for', async () => {
    const { server, told, clock } = start();
    server.answer(pageOf(1, [exportOf('a', { version: 1 })]), pageOf(9, []), pageOf(11, []));
    await settle();
    await server.watch().event('ERROR', statusOf(410, 'Expired').body);
    await settle();
    assert.deepEqual(told, ['replaced a', 'replaced']);
    await server.watch().event('ERROR', statusOf(410, 'Expired').body);
    await settle();
    assert.deepEqual(told, ['replaced a', 'replaced']);
    await clock.advance(2 * RELIST_MIN_MS);
    assert.deepEqual(told, ['replaced a', 'replaced', 'replaced']);
  });

  it('410 between two pages → the list begins anew with larger pages; nothing half is told', async () => {
    const { server, told, clock, events } = start();
    server.answer(
      pageOf(3, [exportOf('a', { version: 1 })], 'c1'),
      statusOf(410, 'Expired'),
      pageOf(5, [exportOf('a', { version: 1 }), exportOf('b', { version: 4 })]),
    );
    await clock.advance(RELIST_MIN_MS);
    assert.deepEqual(told, ['replaced a b']);
    assert.deepEqual(failures(events), ['list-failed expired']);
    assert.equal(server.requests.at(-1), `GET ${PATH}?limit=${2 * LIST_PAGE_OBJECTS}`);
  });

  it('a page that is too large → the same page with fewer objects', async () => {
    const { server, told } = start();
    const tooLarge = new AppError('ERR_BOUND_EXCEEDED', 'x');
    server.answer(pageOf(3, [], 'c1'), tooLarge, pageOf(3, [exportOf('a', { version: 1 })]));
    await settle();
    assert.deepEqual(told, ['replaced a']);
    assert.equal(server.requests.at(-1), `GET ${PATH}?limit=${LIST_PAGE_OBJECTS / 4}&continue=c1`);
  });

  it('lists that fail → what was known stays; tried again after 0.1, 0.2, 0.4 s ... 15 s (half of the ceiling), for ever', async () => {
    const { server, told, clock, events, problems } = start();
    server.answer(unreachable());
    const waits: number[] = [];
    let beforeMs = 0;
    for (let tries = 1; tries <= 12; tries += 1) {
      while (server.requests.length <= tries) await clock.advance(50);
      waits.push(clock.nowMs() - beforeMs);
      beforeMs = clock.nowMs();
    }
    assert.deepEqual(
      waits.slice(0, 4).map((ms) => Math.round(ms / 100) * 100),
      [100, 200, 400, 800],
    );
    assert.ok(Math.max(...waits) <= RELIST_MAX_MS / 2 + 50);
    assert.deepEqual([told, problems.at(-1)], [[], 'unreachable']);
    server.answer(pageOf(3, []));
    await clock.advance(RELIST_MAX_MS);
    assert.deepEqual([told, problems.at(-1)], [['replaced'], 'none']);
    assert.equal(
      failures(events).every((failure) => failure === 'list-failed unreachable'),
      true,
    );
  });

  it('429 with Retry-After → no try before it', async () => {
    const { server, told, clock } = start();
    server.answer({ ...statusOf(429, 'TooManyRequests'), retryAfterMs: 7_000 }, pageOf(3, []));
    await clock.advance(6_900);
    assert.equal(server.requests.length, 1);
    await clock.advance(200);
    assert.deepEqual(told, ['replaced']);
  });

  it('a watch answered 429 with Retry-After, then 500 → watched again from the same version, never listed', async () => {
    const { server, clock, events } = start();
    server.refuseWatch({ ...statusOf(429, 'TooManyRequests'), retryAfterMs: 3_000 }, statusOf(500, 'InternalError'));
    server.answer(pageOf(3, []));
    await clock.advance(2_900);
    assert.deepEqual(failures(events), ['watch-failed overloaded']);
    await clock.advance(2_000);
    assert.deepEqual(failures(events), ['watch-failed overloaded', 'watch-failed server-error']);
    assert.equal(server.watch().query.get('resourceVersion'), '3');
    assert.equal(server.requests.length, 1);
  });

  it('an ERROR event other than 410, twice → listed again', async () => {
    const { server, told, clock } = start();
    server.answer(pageOf(3, []), pageOf(4, []));
    await settle();
    await server.watch().event('ERROR', statusOf(500, 'InternalError').body);
    await clock.advance(RELIST_MIN_MS * 2);
    assert.deepEqual(told, ['replaced']);
    await server.watch().event('ERROR', statusOf(500, 'InternalError').body);
    await clock.advance(RELIST_MIN_MS * 4);
    assert.deepEqual(told, ['replaced', 'replaced']);
  });

  for (const [what, line] of [
    ['no JSON', '{nonsense}'],
    ['a list', '[]'],
    ['an unknown type', '{"type":"SOMETHING","object":{}}'],
    ['an object without a name', '{"type":"ADDED","object":{"metadata":{}}}'],
    ['no object', '{"type":"DELETED"}'],
  ] as const) {
    it(`a line that is ${what} → watched again, the second time listed; nothing of it is told`, async () => {
      const { server, told, clock, events } = start();
      server.answer(pageOf(3, [exportOf('a', { version: 1 })]));
      await settle();
      await server.watch().bytes(`${line}\n`);
      await clock.advance(RELIST_MIN_MS * 2);
      assert.equal(server.watches.length, 2);
      await server.watch().bytes(`${line}\n`);
      await clock.advance(RELIST_MIN_MS * 4);
      assert.deepEqual(told, ['replaced a', 'replaced a']);
      assert.deepEqual(failures(events), ['watch-failed malformed', 'watch-failed malformed']);
    });
  }

  it('a line longer than any event → dropped before it is whole, listed again', async () => {
    const { server, told, clock, events } = start();
    server.answer(pageOf(3, []));
    await settle();
    await server.watch().bytes('x'.repeat(EVENT_BYTES_MAX + 1));
    await clock.advance(RELIST_MIN_MS * 2);
    assert.deepEqual(failures(events), ['watch-failed too-large']);
    assert.deepEqual(told, ['replaced', 'replaced']);
  });

  it(`no byte for ${WATCH_SILENCE_MS} ms → cut here and watched again; with bookmarks it goes on`, async () => {
    const { server, clock, events } = start();
    server.answer(pageOf(3, []));
    await settle();
    for (let minute = 1; minute <= 5; minute += 1) {
      await clock.advance(60_000);
      await server.watch().event('BOOKMARK', { metadata: { resourceVersion: String(10 + minute) } });
    }
    assert.equal(server.watches.length, 1);
    await clock.advance(WATCH_SILENCE_MS - 1);
    assert.equal(server.watches.length, 1);
    await clock.advance(RELIST_MIN_MS + 1);
    assert.equal(server.watches[0]?.isAborted, true);
    assert.equal(server.watch().query.get('resourceVersion'), '15');
    assert.deepEqual(failures(events), ['watch-failed silent']);
  });

  it('a watch that ends at once without a word, always → waits grow: no hot loop', async () => {
    const { server, clock } = start();
    server.answer(pageOf(3, []));
    for (let turn = 0; turn < 60; turn += 1) {
      await clock.advance(1_000);
      await server.watches.at(-1)?.end();
    }
    assert.ok(server.watches.length < 12, `${server.watches.length} watches in a minute`);
    assert.equal(server.requests.length, 1);
  });

  it('403 for the watch alone → a problem; no hot loop of lists', async () => {
    const { server, clock, problems } = start();
    server.refuseWatch(...Array.from({ length: 100 }, () => statusOf(403, 'Forbidden')));
    server.answer(pageOf(3, []));
    await clock.advance(60_000);
    assert.ok(problems.includes('forbidden'));
    assert.ok(server.requests.length < 12, `${server.requests.length} lists in a minute`);
  });

  it('a kind that is not served → asked again until it is', async () => {
    const { server, clock, told, problems, serve } = start({ isServed: false });
    await clock.advance(5_000);
    assert.deepEqual([told, problems.at(-1), server.requests], [[], 'not-served', []]);
    serve(PATH);
    server.answer(pageOf(3, []));
    await clock.advance(RELIST_MAX_MS);
    assert.deepEqual([told, problems.at(-1)], [['replaced'], 'none']);
  });

  it('an answer that is no list → no list: what was known stays', async () => {
    for (const body of [undefined, {}, { metadata: {} }, { metadata: { resourceVersion: 5 } }, []]) {
      const { server, told, clock } = start();
      server.answer({ status: 200, body }, pageOf(1, []));
      await settle();
      assert.deepEqual(told, [], JSON.stringify(body));
      await clock.advance(RELIST_MIN_MS);
      assert.deepEqual(told, ['replaced']);
      reflector?.close();
    }
  });

  it('restart → listed again on the path that is served now; the old watch is closed', async () => {
    const { server, told, serve } = start();
    server.answer(pageOf(3, []));
    await settle();
    serve('/apis/other/v1/things');
    reflector?.restart();
    await settle();
    assert.equal(server.watches[0]?.isAborted, true);
    assert.deepEqual(told, ['replaced', 'replaced']);
    assert.equal(server.watch().path, '/apis/other/v1/things');
  });

  it('close → the watch and every timer end, nothing more is asked', async () => {
    const { server, clock, told } = start();
    server.answer(pageOf(3, []));
    await settle();
    reflector?.close();
    await clock.advance(RELIST_MAX_MS);
    assert.deepEqual([server.watch().isAborted, clock.timers, server.watches.length], [true, 0, 1]);
    assert.deepEqual(told, ['replaced']);
  });
});
