import assert from 'node:assert/strict';
import { makeClientTable, type ClientsMessage } from '#src/gateway/client-table.ts';
import { CLIENT_WAIT_MS, CLIENT_WAITERS_MAX } from '#src/gateway/limits.ts';
import { makeAsker } from '#test/support/asker.ts';

const web = { namespace: 'web', serviceAccount: 'front', labels: { app: 'front' } };
const nobody = { unidentified: 'no-pod' as const };

function message(changes: Partial<ClientsMessage>): ClientsMessage {
  return { kind: 'clients', full: false, set: [], remove: [], ...changes };
}

describe('makeClientTable', () => {
  const newTable = () => makeClientTable({ kind: 'cluster', listen: [], neverDial: [] });

  it('standalone → the configured identity for every address, at once', async () => {
    const table = makeClientTable({ kind: 'standalone', client: web });
    assert.deepEqual([table.at('10.0.0.1'), await table.identify('', makeAsker())], [web, web]);
  });

  it('a full message → all others are forgotten, and told as changed', () => {
    const table = newTable();
    assert.deepEqual(
      [
        ...table.apply(
          message({
            full: true,
            set: [
              ['10.0.0.1', web],
              ['10.0.0.2', web],
            ],
          }),
        ),
      ].sort(),
      ['10.0.0.1', '10.0.0.2'],
    );
    assert.deepEqual([...table.apply(message({ full: true, set: [['10.0.0.2', web]] }))], ['10.0.0.1']);
    assert.deepEqual([table.at('10.0.0.1'), table.at('::ffff:10.0.0.2')], [nobody, web]);
  });

  it('the same identity again, and the removal of nobody → no change', () => {
    const table = newTable();
    table.apply(message({ set: [['10.0.0.1', web]] }));
    const again = { ...web, labels: { ...web.labels } };
    assert.equal(table.apply(message({ set: [['10.0.0.1', again]], remove: ['10.0.0.9'] })).size, 0);
  });

  it('an address not known yet, then told of → waits for it, and no longer', async () => {
    const table = newTable();
    const startMs = performance.now();
    const found = table.identify('::ffff:10.0.0.1', makeAsker());
    table.apply(message({ set: [['10.0.0.2', web]] }));
    table.apply(message({ set: [['10.0.0.1', web]] }));
    assert.deepEqual(await found, web);
    assert.ok(performance.now() - startMs < CLIENT_WAIT_MS / 2);
  });

  it('never told of → nobody after the wait', async () => {
    assert.deepEqual(await newTable().identify('10.0.0.1', makeAsker()), nobody);
  });

  it('the client leaves → the wait ends', async () => {
    const asker = makeAsker();
    const found = newTable().identify('10.0.0.1', asker);
    asker.leave();
    assert.deepEqual(await found, nobody);
  });

  it(`${CLIENT_WAITERS_MAX} wait → the next one is nobody at once; when they have gone, one waits again`, async () => {
    const table = newTable();
    const asker = makeAsker();
    const waiting = Array.from({ length: CLIENT_WAITERS_MAX }, (_, index) =>
      Promise.resolve(table.identify(`10.1.${index >> 8}.${index & 255}`, asker)),
    );
    const startMs = performance.now();
    assert.deepEqual(await table.identify('10.0.0.1', makeAsker()), nobody);
    assert.ok(performance.now() - startMs < CLIENT_WAIT_MS / 2);
    asker.leave();
    await Promise.all(waiting);
    const found = table.identify('10.0.0.1', makeAsker());
    table.apply(message({ set: [['10.0.0.1', web]] }));
    assert.deepEqual(await found, web);
  });
});
