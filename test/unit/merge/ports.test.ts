import assert from 'node:assert/strict';
import { PORTS_PER_IMPORT_MAX } from '#src/merge/limits.ts';
import { missingPorts, portsOfSource, sharesDefinition, unitePorts } from '#src/merge/ports.ts';
import { formatPorts, ports, type Port } from './fixtures.ts';

/** Rows of mcs-api.md §4.3: oldest, newer, union, and the ports under which the newer one gets traffic. */
const ROWS = [
  [
    'CFL-18, C-R09: additions',
    'tcp/TCP/42 udp/UDP/42',
    'tcp/TCP/42 stcp/SCTP/142',
    'tcp/TCP/42 udp/UDP/42 stcp/SCTP/142',
    'tcp/TCP/42 stcp/SCTP/142',
  ],
  ['CFL-19, C-R10: a name taken', 'tcp/TCP/42 udp/UDP/42', 'tcp/TCP/43', 'tcp/TCP/42 udp/UDP/42', ''],
  ['CFL-19, CFL-22: a number under another name', 'http/TCP/80', 'web/TCP/80', 'http/TCP/80', 'http/TCP/80'],
  ['CFL-19: unnamed, then named', '/TCP/80', 'http/TCP/80', '/TCP/80', '/TCP/80'],
  ['CFL-19: unnamed twice', '/TCP/80', '/TCP/81', '/TCP/80', ''],
  [
    'CFL-20: another appProtocol',
    'http/TCP/80/http',
    'http/TCP/80/kubernetes.io/h2c',
    'http/TCP/80/http',
    'http/TCP/80',
  ],
  ['CFL-18: another protocol', 'dns/UDP/53', 'dns-tcp/TCP/53', 'dns/UDP/53 dns-tcp/TCP/53', 'dns-tcp/TCP/53'],
  ['CFL-23: another order', 'a/TCP/1 b/TCP/2', 'b/TCP/2 a/TCP/1', 'a/TCP/1 b/TCP/2', 'a/TCP/1 b/TCP/2'],
  ['CFL-18: unnamed beside named', '/TCP/80', 'http/TCP/81', '/TCP/80 http/TCP/81', 'http/TCP/81'],
] as const;

describe('unitePorts', () => {
  for (const [title, oldest, newer, union] of ROWS) {
    it(`${title} → ${union}`, () => {
      assert.equal(formatPorts(unitePorts([ports(oldest), ports(newer)], []).ports), union);
    });
  }

  it('CFL-19: a third export has the number that a dropped port had → it is added under its own name', () => {
    const { ports: united } = unitePorts([ports('http/TCP/8080'), ports('http/TCP/80'), ports('web/TCP/80')], []);
    assert.equal(formatPorts(united), 'http/TCP/8080 web/TCP/80');
    assert.equal(formatPorts(portsOfSource(united, ports('http/TCP/80'))), 'web/TCP/80');
  });

  it('CFL-02: the older export adds a port whose name is in use → the meaning in use stays', () => {
    const inUse = ports('a/TCP/1 x/TCP/7070');
    const { ports: united } = unitePorts([ports('a/TCP/1 x/TCP/9090'), ports('x/TCP/7070')], inUse);
    assert.equal(formatPorts(united), 'a/TCP/1 x/TCP/7070');
  });

  it('CFL-03: nobody has the port in use any more → the older definition counts', () => {
    const { ports: united } = unitePorts([ports('x/TCP/9090')], ports('x/TCP/7070'));
    assert.equal(formatPorts(united), 'x/TCP/9090');
  });

  it('no exports → no ports', () => {
    assert.deepEqual(unitePorts([], ports('a/TCP/1')), { ports: [], beyondLimit: [] });
  });

  const numbered = (from: number, count: number): Port[] =>
    Array.from({ length: count }, (_, index) => ({ name: `p${from + index}`, protocol: 'TCP', port: from + index }));

  it('as many ports as an import may have → all of them', () => {
    const { ports: united, beyondLimit } = unitePorts([numbered(1, PORTS_PER_IMPORT_MAX)], []);
    assert.equal(united.length, PORTS_PER_IMPORT_MAX);
    assert.deepEqual(beyondLimit, []);
  });

  it('one port more → the newest definition is left out and named', () => {
    const newer = numbered(PORTS_PER_IMPORT_MAX + 1, 1);
    const { ports: united, beyondLimit } = unitePorts([numbered(1, PORTS_PER_IMPORT_MAX), newer], []);
    assert.equal(united.length, PORTS_PER_IMPORT_MAX);
    assert.deepEqual(beyondLimit, newer);
    assert.ok(sharesDefinition(newer, beyondLimit));
    assert.ok(!sharesDefinition(numbered(1, 1), beyondLimit));
  });
});

describe('portsOfSource', () => {
  for (const [title, oldest, newer, union, own] of ROWS) {
    it(`CFL-21: ${title} → the newer gets ${own || 'nothing'}`, () => {
      const united = unitePorts([ports(oldest), ports(newer)], []).ports;
      assert.equal(formatPorts(united), union);
      assert.equal(formatPorts(portsOfSource(united, ports(newer))), own);
    });
  }
});

describe('missingPorts', () => {
  it('CFL-23: the same ports in another order → none', () => {
    assert.deepEqual(missingPorts(ports('a/TCP/1 b/UDP/2'), ports('b/UDP/2 a/TCP/1')), []);
  });
  for (const other of ['b/TCP/1', 'a/UDP/1', 'a/TCP/2', 'a/TCP/1/http']) {
    it(`CFL-17: a/TCP/1 beside ${other} → missing`, () => {
      assert.deepEqual(missingPorts(ports('a/TCP/1'), ports(other)), ports('a/TCP/1'));
    });
  }
});
