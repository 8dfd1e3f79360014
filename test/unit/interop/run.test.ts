import assert from 'node:assert/strict';
import type { Case } from '#test/interop/cases.ts';
import { runCase, runPairing } from '#test/interop/run.ts';
import type { Scene } from '#test/interop/scene.ts';
import type { Driver } from '#test/interop/side.ts';

/** What these cases look at: nothing. */
const NO_SCENE = {} as Scene;
const PAIRING = { exporter: 'go', importer: 'ours' } as const;

function makeCase(run: () => Promise<void>, changes: Partial<Case> = {}): Case {
  return { name: 'small', deadlineMs: 1_000, run, ...changes };
}

function brokenDriver(error: Error): Driver {
  return {
    peer: 'emulated',
    host: '127.0.0.1',
    identity: () => Promise.reject(error),
    start: () => Promise.reject(error),
    close: () => Promise.resolve(),
  };
}

describe('runCase', () => {
  it('a case that holds → ok', async () => {
    const { name, ok, error } = await runCase(
      makeCase(() => Promise.resolve()),
      NO_SCENE,
    );
    assert.deepEqual({ name, ok, error }, { name: 'small', ok: true, error: undefined });
  });

  it('a case that throws → not ok, in its words', async () => {
    const { ok, error } = await runCase(
      makeCase(() => Promise.reject(new Error('other bytes'))),
      NO_SCENE,
    );
    assert.deepEqual({ ok, error }, { ok: false, error: 'other bytes' });
  });

  it('a case that never ends → not ok at its deadline', async () => {
    const { ok, error } = await runCase(
      makeCase(() => new Promise(() => undefined), { deadlineMs: 5 }),
      NO_SCENE,
    );
    assert.deepEqual({ ok, error }, { ok: false, error: 'not done within 5 ms' });
  });
});

describe('runPairing', () => {
  it('a side that does not start → each of its cases fails, and is told', async () => {
    const told: string[] = [];
    const run = (): Promise<void> => assert.fail('no scene');
    const results = await runPairing({
      driver: brokenDriver(new Error('no etcd')),
      pairing: PAIRING,
      cases: [makeCase(run), makeCase(run, { name: 'large' }), makeCase(run, { name: 'idle', applies: () => false })],
      say: ({ name }) => told.push(name),
    });
    const names = ['go exports, ours imports: small', 'go exports, ours imports: large'];
    assert.deepEqual(
      results.map(({ name, ok, error }) => ({ name, ok, error })),
      names.map((name) => ({ name, ok: false, error: 'no start: no etcd' })),
    );
    assert.deepEqual(told, names);
  });
});
