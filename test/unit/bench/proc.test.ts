import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import {
  cpuSecondsOf,
  isListening,
  parseListeningPorts,
  parseResidentKib,
  parseStat,
  residentKibOf,
  TICKS_PER_SECOND,
  withDescendants,
} from '#test/bench/proc.ts';

const REST = 'S 41 42 42 0 -1 4194304 9 8 7 6 120 34 5 6 20 0 11 0 12345 1000 200';

describe('parseStat', () => {
  for (const name of ['node', 'a b', 'x) S 1 (y', ')']) {
    it(`the name ${JSON.stringify(name)} → its parent, and its user and system time`, () => {
      assert.deepEqual(parseStat(`4711 (${name}) ${REST}\n`), { parent: 41, ticks: 154 });
    });
  }
  for (const text of ['', '4711 node S 41', '4711 (node) S 41 42', `4711 (node) ${REST.replace('120', 'x')}`]) {
    it(`${JSON.stringify(text)} → an error`, () => assert.throws(() => parseStat(text), /not the stat of a process/));
  }
  it('this process → its parent', () => {
    assert.equal(parseStat(readFileSync('/proc/self/stat', 'utf8')).parent, process.ppid);
  });
});

describe('parseResidentKib', () => {
  it('a status → VmRSS', () =>
    assert.equal(parseResidentKib('VmHWM:\t 9 kB\nVmRSS:\t   53240 kB\nRssAnon: 1 kB\n'), 53_240));
  it('a process that is ending has none → 0', () =>
    assert.equal(parseResidentKib('Name:\tnode\nState:\tZ (zombie)\n'), 0));
});

describe('parseListeningPorts', () => {
  const HEAD = '  sl  local_address rem_address   st tx_queue rx_queue\n';
  it('listening, connected, version 6 → those that listen', () => {
    const text = `${HEAD}   0: 0100007F:1F90 00000000:0000 0A 0:0 0
   1: 0100007F:1F91 0100007F:C350 01 0:0 0
   2: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 0:0 0\n`;
    assert.deepEqual(parseListeningPorts(text), new Set([8_080, 80]));
  });
  it('nobody → none', () => assert.deepEqual(parseListeningPorts(HEAD), new Set()));
});

describe('withDescendants', () => {
  const PARENTS: readonly (readonly [number, number])[] = [
    [2, 1],
    [3, 2],
    [4, 3],
    [5, 1],
    [6, 6],
  ];
  for (const [roots, expected] of [
    [[], []],
    [[2], [2, 3, 4]],
    [
      [3, 2],
      [2, 3, 4],
    ],
    [[1], [1, 2, 3, 4, 5]],
    [[6], [6]],
    [[99], [99]],
  ] as const) {
    it(`of ${JSON.stringify(roots)} → ${JSON.stringify(expected)}`, () => {
      assert.deepEqual([...withDescendants(roots, PARENTS)].sort(), expected);
    });
  }
});

describe('cpuSecondsOf', () => {
  it('work is done → it grows', () => {
    const before = cpuSecondsOf([process.pid]);
    const untilMs = performance.now() + 4 * (1_000 / TICKS_PER_SECOND);
    while (cpuSecondsOf([process.pid]) === before) assert.ok(performance.now() < untilMs + 2_000, 'it stands still');
    assert.ok(cpuSecondsOf([process.pid]) > before);
  });
  it('a process that has ended → 0', () => assert.equal(cpuSecondsOf([2 ** 30]), 0));
});

describe('residentKibOf', () => {
  it('this process → about what Node says', () => {
    const kib = residentKibOf([process.pid]);
    assert.ok(kib > 10_000, String(kib));
  });
});

describe('isListening', () => {
  it('a server listens, then closes → yes, then no', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    assert.equal(isListening(port), true);
    server.close();
    await once(server, 'close');
    assert.equal(isListening(port), false);
  });
});
