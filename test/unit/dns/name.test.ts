import assert from 'node:assert/strict';
import { canonicalName, formatClusterSetName, isWithin, parseClusterSetName } from '#src/dns/name.ts';

const ZONE = 'clusterset.local';

describe('parseClusterSetName', () => {
  const db = { namespace: 'shop', service: 'db' };
  const cases = [
    { name: 'clusterset.local', want: { kind: 'apex' } },
    { name: 'dns-version.clusterset.local', want: { kind: 'version' } },
    { name: 'dns.clusterset.local', want: { kind: 'nameServer' } },
    { name: 'ns.dns.clusterset.local', want: { kind: 'nameServer' } },
    { name: 'svc.clusterset.local', want: { kind: 'services' } },
    { name: 'shop.svc.clusterset.local', want: { kind: 'namespace', namespace: 'shop' } },
    { name: 'db.shop.svc.clusterset.local', want: { kind: 'service', ...db } },
    { name: '_tcp.db.shop.svc.clusterset.local', want: { kind: 'protocol', protocol: 'tcp', ...db } },
    { name: '_pg._tcp.db.shop.svc.clusterset.local', want: { kind: 'port', port: 'pg', protocol: 'tcp', ...db } },
    {
      name: 'db-0.east.db.shop.svc.clusterset.local',
      want: { kind: 'endpoint', hostname: 'db-0', peer: 'east', ...db },
    },
    // A namespace or a service may be called like a part of the grammar.
    { name: 'svc.svc.svc.clusterset.local', want: { kind: 'service', namespace: 'svc', service: 'svc' } },
    {
      name: 'dns-version.shop.svc.clusterset.local',
      want: { kind: 'service', namespace: 'shop', service: 'dns-version' },
    },
    // DNS-13: one plain label before the service is reserved.
    { name: 'east.db.shop.svc.clusterset.local', want: undefined },
    { name: 'db-0._tcp.db.shop.svc.clusterset.local', want: undefined },
    { name: '_pg.east.db.shop.svc.clusterset.local', want: undefined },
    { name: 'x.db-0.east.db.shop.svc.clusterset.local', want: undefined },
    { name: 'db.shop.pod.clusterset.local', want: undefined },
    { name: 'x.dns-version.clusterset.local', want: undefined },
    { name: 'x.ns.dns.clusterset.local', want: undefined },
    { name: 'shop.clusterset.local', want: undefined },
  ];
  for (const { name, want } of cases) {
    it(`${name} → ${want?.kind ?? 'nothing'}`, () => assert.deepEqual(parseClusterSetName(name, ZONE), want));
  }

  it('what formatClusterSetName wrote → the same name', () => {
    for (const { name, want } of cases) {
      const parsed = parseClusterSetName(name, ZONE);
      if (parsed === undefined || !('service' in parsed)) continue;
      assert.equal(formatClusterSetName(parsed, ZONE), name);
      assert.deepEqual(parsed, want);
    }
  });
});

describe('canonicalName', () => {
  const cases = [
    { name: 'WEB.Shop.', want: 'web.shop' },
    { name: 'web.shop', want: 'web.shop' },
    { name: '.', want: '' },
    { name: 'a\\046.', want: 'a\\046' },
  ];
  for (const { name, want } of cases) it(`DNS-18 ${name} → ${want}`, () => assert.equal(canonicalName(name), want));
});

describe('isWithin', () => {
  const cases = [
    { name: 'clusterset.local', want: true },
    { name: 'x.clusterset.local', want: true },
    { name: 'xclusterset.local', want: false },
    { name: 'local', want: false },
    { name: '', want: false },
  ];
  for (const { name, want } of cases) it(`${name} → ${want}`, () => assert.equal(isWithin(name, ZONE), want));
});
