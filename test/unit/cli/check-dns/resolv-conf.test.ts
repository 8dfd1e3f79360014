import assert from 'node:assert/strict';
import fc from 'fast-check';
import { clusterDomainOf, namesAskedFor, parseResolvConf } from '#src/cli/check-dns/resolv-conf.ts';

const POD = `search store.svc.cluster.local svc.cluster.local cluster.local
nameserver 10.96.0.10
options ndots:5
`;

describe('parseResolvConf', () => {
  it("a pod's → its server, its search list, ndots", () => {
    const parsed = parseResolvConf(POD);
    assert.deepEqual(parsed, {
      nameservers: ['10.96.0.10'],
      search: ['store.svc.cluster.local', 'svc.cluster.local', 'cluster.local'],
      ndots: 5,
    });
    assert.equal(clusterDomainOf(parsed), 'cluster.local');
  });

  const rows: [title: string, text: string, expected: Partial<ReturnType<typeof parseResolvConf>>][] = [
    ['nothing', '', { nameservers: ['127.0.0.1'], search: [], ndots: 1 }],
    ['comments', '# nameserver 1.1.1.1\n;nameserver 1.1.1.1\n', { nameservers: ['127.0.0.1'] }],
    ['a name for a server', 'nameserver dns.example\nnameserver 9.9.9.9', { nameservers: ['9.9.9.9'] }],
    [
      'four servers',
      '1234'.replaceAll(/\d/g, 'nameserver 1.1.1.$&\n'),
      { nameservers: ['1.1.1.1', '1.1.1.2', '1.1.1.3'] },
    ],
    ['IPv6 with its zone', 'nameserver fe80::1%eth0', { nameservers: ['fe80::1%eth0'] }],
    ['search twice, then domain', 'search a b\nsearch c.\ndomain D.Example.', { search: ['d.example'] }],
    ['ndots beyond all', 'options timeout:1 ndots:99', { ndots: 15 }],
    ['ndots:0', 'options ndots:0', { ndots: 0 }],
  ];
  for (const [title, text, expected] of rows) {
    it(`${title} → ${JSON.stringify(expected)}`, () => {
      assert.deepEqual({ ...parseResolvConf(text), ...expected }, parseResolvConf(text));
    });
  }

  it('anything → never an exception, and a server', () => {
    fc.assert(fc.property(fc.string(), (text) => assert.ok(parseResolvConf(text).nameservers.length > 0)));
  });
});

describe('namesAskedFor', () => {
  const parsed = parseResolvConf(POD);
  it('fewer dots than ndots → below the search list first', () => {
    assert.deepEqual(namesAskedFor('web.store.svc.clusterset.local', parsed), [
      'web.store.svc.clusterset.local.store.svc.cluster.local',
      'web.store.svc.clusterset.local.svc.cluster.local',
      'web.store.svc.clusterset.local.cluster.local',
      'web.store.svc.clusterset.local',
    ]);
  });
  it('as many → the name itself first', () => {
    const [first] = namesAskedFor('web.store.svc.clusterset.local', { ...parsed, ndots: 4 });
    assert.equal(first, 'web.store.svc.clusterset.local');
  });
});
