import assert from 'node:assert/strict';
import { makeQueryLog } from '#src/dns/query-log.ts';
import { QUERY_LOG_LINES_PER_SECOND } from '#src/dns/limits.ts';
import { makeLogger } from '#src/runtime/log.ts';
import { A_IN, makeMessage, makeName, makeQuery } from '#test/support/dns-wire.ts';

function makeLog(every: number) {
  const lines: Record<string, unknown>[] = [];
  const destination = { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) };
  const time = { nowMs: 0 };
  return { lines, time, log: makeQueryLog(every, makeLogger({ level: 'info', destination }), () => time.nowMs) };
}

const ANSWERED = {
  query: makeQuery('Web.shop', { type: 'SRV' }),
  transport: 'udp',
  client: '10.0.0.1',
  rcode: 0,
  path: 'fast',
} as const;

describe('makeQueryLog', () => {
  it('one of 3 → the third, the sixth; 0 → none', () => {
    const { log } = makeLog(3);
    assert.deepEqual(
      [1, 2, 3, 4, 5, 6].map(() => log.isDue()),
      [false, false, true, false, false, true],
    );
    assert.equal(makeLog(0).log.isDue(), false);
  });

  it('a query → its name, type and answer', () => {
    const { log, lines } = makeLog(1);
    log.write(ANSWERED);
    const { name, type, transport, client, rcode, path } = lines[0] ?? {};
    assert.deepEqual(
      { name, type, transport, client, rcode, path },
      {
        name: 'web.shop',
        type: 33,
        transport: 'udp',
        client: '10.0.0.1',
        rcode: 0,
        path: 'fast',
      },
    );
  });

  it('a name that would forge a line, a question that cannot be read → escaped, left out', () => {
    const { log, lines } = makeLog(1);
    log.write({ ...ANSWERED, query: makeMessage([1, 0, 0, 0], makeName('a"\n\u001b'), A_IN) });
    log.write({ ...ANSWERED, query: makeMessage([1, 0, 0, 0], [0xc0, 0x0c], A_IN) });
    assert.deepEqual(
      lines.map(({ name }) => name),
      ['a\\034\\010\\027', undefined],
    );
  });

  it(`more than ${QUERY_LOG_LINES_PER_SECOND} in a second → no more of them`, () => {
    const { log, lines, time } = makeLog(1);
    for (let index = 0; index < 100; index++) log.write(ANSWERED);
    assert.equal(lines.length, QUERY_LOG_LINES_PER_SECOND);
    time.nowMs = 1_000;
    log.write(ANSWERED);
    assert.equal(lines.length, QUERY_LOG_LINES_PER_SECOND + 1);
  });
});
