import assert from 'node:assert/strict';
import { makeGate, mapGated } from '#src/store/directory/gate.ts';
import { makeHints, type WatchFolder } from '#src/store/directory/hints.ts';
import { makeScanLoop } from '#src/store/directory/scan-loop.ts';

const FAR_MS = 60_000;

describe('makeScanLoop', () => {
  it('requests while a scan runs → one more scan, never two at once', async () => {
    let running = 0;
    let scans = 0;
    const { promise: second, resolve: onSecond } = Promise.withResolvers<void>();
    const loop = makeScanLoop(async () => {
      assert.equal((running += 1), 1);
      scans += 1;
      if (scans === 1) for (let request = 0; request < 5; request += 1) loop.request(0);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      if (scans === 2) onSecond();
      return FAR_MS;
    });
    loop.request(0);
    await second;
    await loop.close();
    assert.equal(scans, 2);
  });

  it('a later request → does not push an earlier one back', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const loop = makeScanLoop(() => Promise.resolve(resolve()).then(() => FAR_MS));
    loop.request(1);
    loop.request(FAR_MS);
    await promise;
    await loop.close();
  });

  it('close → waits for the running scan; no further scan', async () => {
    const { promise: started, resolve: onStart } = Promise.withResolvers<void>();
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    let scans = 0;
    const loop = makeScanLoop(async () => {
      scans += 1;
      onStart();
      await gate;
      return 0;
    });
    loop.request(0);
    await started;
    const closed = loop.close();
    open();
    await closed;
    loop.request(0);
    await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal(scans, 1);
  });
});

describe('makeHints', () => {
  function makeFakeWatch() {
    const open = new Map<string, (error: Error) => void>();
    const refused = new Set<string>();
    const watchFolder = ((path: string) => {
      if (refused.has(path)) throw Object.assign(new Error('ENOSPC: no space, watch'), { code: 'ENOSPC' });
      const watcher = {
        close: () => void open.delete(path),
        on: (_: string, listener: (error: Error) => void) => (open.set(path, listener), watcher),
      };
      return watcher;
    }) as unknown as WatchFolder;
    return { open, refused, watchFolder };
  }
  const folder = (path: string, identity = '1') => ({ path, identity });

  it('folders that come, stay, go or are another one → watched accordingly', () => {
    const { open, watchFolder } = makeFakeWatch();
    const hints = makeHints(() => undefined, watchFolder);
    assert.equal(hints.follow([folder('a'), folder('b')]), true);
    assert.equal(hints.follow([folder('a'), folder('b')]), false);
    assert.equal(hints.follow([folder('a', '2')]), true);
    assert.deepEqual([...open.keys()], ['a']);
    hints.close();
    assert.equal(open.size, 0);
  });

  it('a folder that cannot be watched → failure, the others are; possible again → none', () => {
    const { open, refused, watchFolder } = makeFakeWatch();
    const hints = makeHints(() => undefined, watchFolder);
    refused.add('a');
    hints.follow([folder('a'), folder('b')]);
    assert.deepEqual([hints.failure, [...open.keys()]], ['ENOSPC: no space', ['b']]);
    refused.clear();
    hints.follow([folder('a'), folder('b')]);
    assert.equal(hints.failure, undefined);
  });

  it('a watch that breaks → a hint and a failure; the next look watches again', () => {
    const { open, watchFolder } = makeFakeWatch();
    let count = 0;
    const hints = makeHints(() => (count += 1), watchFolder);
    hints.follow([folder('a')]);
    open.get('a')?.(new Error('EIO: broken'));
    assert.deepEqual([count, hints.failure, open.size], [1, 'EIO: broken', 0]);
    assert.equal(hints.follow([folder('a')]), true);
    assert.equal(hints.failure, undefined);
  });
});

describe('makeGate', () => {
  it('more tasks than it lets in → the bound runs at once, all finish, in the order of the items', async () => {
    const gate = makeGate(3);
    let running = 0;
    let most = 0;
    const results = await mapGated(gate, [1, 2, 3, 4, 5, 6, 7], async (item) => {
      most = Math.max(most, (running += 1));
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      return item * 2;
    });
    assert.deepEqual([results, most], [[2, 4, 6, 8, 10, 12, 14], 3]);
  });

  it('a task that fails → its place is free again', async () => {
    const gate = makeGate(1);
    await assert.rejects(
      gate.run(() => Promise.reject(new Error('no'))),
      { message: 'no' },
    );
    assert.equal(await gate.run(() => Promise.resolve(1)), 1);
  });
});
