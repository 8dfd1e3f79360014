import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  canonicalName,
  formatEndpoint,
  formatName,
  formatNamespace,
  formatPort,
  formatProtocol,
  formatService,
  isWithin,
  keyOfName,
  keyOfOctets,
  keysAbove,
} from '#src/dns/name.ts';
import { makeName } from '#test/support/dns-wire.ts';

const ZONE = 'clusterset.local';

describe('names of things', () => {
  const db = formatService({ namespace: 'shop', name: 'db' }, ZONE);
  const cases = [
    { what: 'DNS-02 a service', name: db, want: 'db.shop.svc.clusterset.local' },
    { what: 'a namespace', name: formatNamespace('shop', ZONE), want: 'shop.svc.clusterset.local' },
    { what: 'a protocol', name: formatProtocol('tcp', db), want: '_tcp.db.shop.svc.clusterset.local' },
    { what: 'DNS-03 a port', name: formatPort('pg', 'tcp', db), want: '_pg._tcp.db.shop.svc.clusterset.local' },
    {
      what: 'DNS-07 an endpoint',
      name: formatEndpoint('db-0', 'east', db),
      want: 'db-0.east.db.shop.svc.clusterset.local',
    },
  ];
  for (const { what, name, want } of cases) it(`${what} → ${want}`, () => assert.equal(name, want));
});

describe('keys of names', () => {
  const label = fc.stringMatching(/^[a-z0-9_-]{1,63}$/);
  const name = fc.array(label, { maxLength: 3 }).map((labels) => labels.join('.'));

  it('a name, and its octets in any case → one key, which says the name', () => {
    fc.assert(
      fc.property(name, (text) => {
        const key = keyOfName(text);
        const octets = makeName(...text.toUpperCase().split('.').filter(Boolean));
        assert.equal(keyOfOctets(octets), key);
        assert.equal(formatName(key), text);
      }),
    );
  });

  it('letters beyond ASCII → as they are (RFC 4343 §3.1)', () => {
    assert.equal(keyOfOctets(Buffer.from([1, 0xc0, 0])), '\x01\xc0\0');
  });

  it('a dot or a backslash in a label → escaped, and no name of ours', () => {
    const key = keyOfOctets(makeName('we.b\\', 'shop'));
    assert.equal(formatName(key), 'we\\046b\\092.shop');
    assert.notEqual(key, keyOfName('we.b.shop'));
  });

  it('keysAbove → the name, each above it, the root', () => {
    assert.deepEqual([...keysAbove(keyOfName('a.bc.d'))].map(formatName), ['a.bc.d', 'bc.d', 'd', '']);
    assert.deepEqual([...keysAbove('\0')], ['\0']);
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
