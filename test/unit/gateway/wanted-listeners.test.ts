import assert from 'node:assert/strict';
import type { Home } from '#src/gateway/home.ts';
import type { ImportRoute, RoutePort } from '#src/gateway/messages.ts';
import { listenersOf } from '#src/gateway/wanted-listeners.ts';

const host: Home = { kind: 'standalone', client: { namespace: 'default', serviceAccount: 'host', labels: {} } };
const pod: Home = { kind: 'cluster', listen: ['10.0.0.5', 'fd00::5'], neverDial: [] };

function routeWith(...ports: RoutePort[]): ImportRoute {
  return {
    key: { namespace: 'store', name: 'db' },
    ips: ['10.96.0.1'],
    ports,
    sources: [],
    labels: {},
    localFirst: true,
  };
}

describe('listenersOf', () => {
  const tcp: RoutePort = { name: 'pg', protocol: 'TCP', port: 5432, targetPort: 20_001, lastListenPort: 20_500 };
  const cases: { name: string; home: Home; port: RoutePort; want: unknown[] }[] = [
    {
      name: 'standalone → the clusterset address at the port itself, else where it was, else elsewhere',
      home: host,
      port: tcp,
      want: [['10.96.0.1', 5432, 'remap', 20_500]],
    },
    {
      name: 'cluster → each own address at the target port, and nowhere else',
      home: pod,
      port: tcp,
      want: [
        ['10.0.0.5', 20_001, 'fail', undefined],
        ['fd00::5', 20_001, 'fail', undefined],
      ],
    },
    {
      name: 'cluster, no target port yet → none',
      home: pod,
      port: { name: 'pg', protocol: 'TCP', port: 5432 },
      want: [],
    },
    { name: 'cluster, a UDP port → none', home: pod, port: { ...tcp, protocol: 'UDP' }, want: [] },
    { name: 'standalone, an SCTP port → none', home: host, port: { ...tcp, protocol: 'SCTP' }, want: [] },
  ];
  for (const { name, home, port, want } of cases) {
    it(name, () => {
      const listeners = listenersOf(routeWith(port), home);
      assert.deepEqual(
        listeners.map(({ address, listenPort, ifTaken, lastListenPort }) => [
          address,
          listenPort,
          ifTaken,
          lastListenPort,
        ]),
        want,
      );
      assert.ok(listeners.every(({ object, port: of }) => object === 'store/db' && of === 5432));
    });
  }
});
