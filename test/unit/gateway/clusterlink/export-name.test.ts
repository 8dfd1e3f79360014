import assert from 'node:assert/strict';
import { findNamedPort } from '#src/gateway/clusterlink/export-name.ts';
import type { ExportRoute } from '#src/gateway/messages.ts';

type Port = [name: string, port: number, protocol?: 'UDP'];

function routeOf(name: string, ports: readonly Port[], defaultPort?: number): [string, ExportRoute] {
  const made = ports.map(([name, port, protocol = 'TCP' as const]) => ({ name, port, protocol, endpoints: [] }));
  const more = defaultPort === undefined ? {} : { defaultPort };
  return [`shop/${name}`, { namespace: 'shop', name, uid: 'u', labels: {}, ports: made, ...more }];
}

const EXPORTS = new Map([
  routeOf(
    'db',
    [
      ['pg', 5432],
      ['admin', 8080],
      ['pg-udp', 5432, 'UDP'],
    ],
    5432,
  ),
  routeOf(
    'moved',
    [
      ['a', 1],
      ['b', 2],
    ],
    2,
  ),
  routeOf('plain', [['', 80]]),
  routeOf('first', [
    ['syslog', 514, 'UDP'],
    ['a', 1],
    ['b', 2],
  ]),
  routeOf('udp', [['syslog', 514, 'UDP']]),
  routeOf('db.admin', [['', 9]]),
  routeOf('a.b', [['c', 3]]),
]);

describe('findNamedPort', () => {
  const cases: [string, string][] = [
    ['db', 'db:5432'],
    ['db.pg', 'db:5432'],
    ['db.pg-udp', 'none'],
    ['db.nothing', 'none'],
    ['db.', 'none'],
    ['moved', 'moved:2'],
    ['moved.a', 'moved:1'],
    ['plain', 'plain:80'],
    ['plain.', 'none'],
    ['first', 'first:1'],
    ['udp', 'none'],
    ['udp.syslog', 'none'],
    ['db.admin', 'db.admin:9'],
    ['a.b', 'a.b:3'],
    ['a.b.c', 'a.b:3'],
    ['.db', 'none'],
    ['nothing', 'none'],
  ];
  for (const [name, want] of cases) {
    it(`${name} → ${want}`, () => {
      const found = findNamedPort(EXPORTS, { namespace: 'shop', name });
      assert.equal(found === undefined ? 'none' : `${found.export.name}:${found.port}`, want);
    });
  }

  it('the same name in another namespace → none', () =>
    assert.equal(findNamedPort(EXPORTS, { namespace: 'store', name: 'db' }), undefined));
});
