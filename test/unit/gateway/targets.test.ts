import assert from 'node:assert/strict';
import type { ClientIdentity } from '#src/gateway/client-identity.ts';
import { makePodTargets, makeTargetFilter, parseTargetRule } from '#src/gateway/targets.ts';

const own = { listeners: [{ address: '0.0.0.0', port: 4443 }], pool: '127.96.16.0/20' };

describe('makeTargetFilter', () => {
  const cases: { name: string; rules: string[]; named: string; address?: string; port?: number; want: boolean }[] = [
    { name: 'no rule', rules: [], named: '10.0.0.5', want: false },
    { name: 'a range', rules: ['10.0.0.0/8:5432'], named: '10.0.0.5', want: true },
    { name: 'a range, another port', rules: ['10.0.0.0/8:5432'], named: '10.0.0.5', port: 22, want: false },
    { name: 'everything', rules: ['*:*'], named: '10.0.0.5', want: true },
    { name: 'everything is not loopback', rules: ['*:*'], named: '127.0.0.1', want: false },
    { name: 'everything is not link-local', rules: ['*:*'], named: '169.254.169.254', want: false },
    {
      name: 'everything is not a name that resolves to loopback',
      rules: ['*:*'],
      named: 'db.example',
      address: '127.0.0.1',
      want: false,
    },
    {
      name: 'a named host that resolves to loopback',
      rules: ['db.example:*'],
      named: 'db.example',
      address: '127.0.0.1',
      want: false,
    },
    { name: 'a named host', rules: ['db.example:5432'], named: 'db.example', address: '10.9.9.9', want: true },
    {
      name: 'another host at the same address',
      rules: ['db.example:5432'],
      named: 'x.example',
      address: '10.9.9.9',
      want: false,
    },
    { name: 'loopback by name of its address', rules: ['127.0.0.1:*'], named: '127.0.0.1', want: true },
    { name: 'another loopback address', rules: ['127.0.0.1:*'], named: '127.0.0.2', want: false },
    { name: 'loopback in IPv6 clothes', rules: ['*:*'], named: '::ffff:127.0.0.1', want: false },
    { name: 'loopback in IPv6 clothes, in hexadecimal', rules: ['*:*'], named: '::ffff:7f00:1', want: false },
    { name: 'the own pool in IPv6 clothes', rules: ['127.0.0.0/8:*'], named: '::ffff:7f60:1009', want: false },
    {
      name: 'the own gateway in IPv6 clothes',
      rules: ['127.0.0.0/8:*'],
      named: '0:0:0:0:0:ffff:7f00:1',
      port: 4443,
      want: false,
    },
    { name: 'IPv4-compatible loopback', rules: ['*:*'], named: '::127.0.0.1', want: false },
    { name: 'NAT64 for local use', rules: ['*:*'], named: '64:ff9b:1::7f00:1', want: false },
    { name: 'IPv6 loopback', rules: ['*:*'], named: '::1', want: false },
    { name: 'IPv6 loopback by its address', rules: ['[::1]:*'], named: '::1', want: true },
    { name: 'NAT64', rules: ['*:*'], named: '64:ff9b::7f00:1', want: false },
    { name: 'multicast', rules: ['*:*'], named: '224.0.0.1', want: false },
    { name: 'unspecified', rules: ['*:*'], named: '0.0.0.0', want: false },
    { name: 'the own gateway', rules: ['127.0.0.0/8:*'], named: '127.0.0.1', port: 4443, want: false },
    { name: 'the own pool', rules: ['127.0.0.0/8:*'], named: '127.96.16.9', want: false },
  ];
  for (const { name, rules, named, address = named, port = 5432, want } of cases) {
    it(`${name} → ${want ? 'dialled' : 'TARGET_FORBIDDEN'}`, () => {
      assert.equal(makeTargetFilter(rules, own).allows({ named, address, port, namespace: 'shop' }), want);
    });
  }
});

describe('makeTargetFilter in a cluster', () => {
  const at = (address: string): ClientIdentity => {
    if (address === '10.1.0.1') return { namespace: 'shop', serviceAccount: 'db', labels: {} };
    if (address === '10.0.0.1') return { unidentified: 'node-address' };
    if (address === '10.0.0.2') return { unidentified: 'host-network' };
    if (address === '203.0.113.6') return { unidentified: 'api-server' };
    if (address === '10.1.0.5') return { unidentified: 'gateway-address' };
    return { unidentified: address === '10.1.0.6' ? 'several-pods' : 'no-pod' };
  };
  const pods = makePodTargets({ at, neverDial: ['10.96.0.1', '::ffff:10.0.0.9'] });
  const all = ['*:*', '10.0.0.0/8:*', '127.0.0.0/8:*', '[::1]:*'];
  const cases: {
    name: string;
    rules?: string[];
    named: string;
    address?: string;
    namespace?: string;
    want: boolean;
  }[] = [
    { name: 'a pod of the namespace, no rule', named: '10.1.0.1', want: true },
    { name: 'the same in IPv6 clothes', named: '::ffff:a01:1', want: true },
    { name: 'a pod of another namespace', named: '10.1.0.1', namespace: 'bank', want: false },
    { name: 'a pod of another namespace, listed', named: '10.1.0.1', namespace: 'bank', rules: all, want: true },
    { name: 'no pod', named: '10.1.0.99', want: false },
    { name: 'no pod, listed', named: '10.1.0.99', rules: all, want: true },
    { name: 'an address of two pods', named: '10.1.0.6', want: false },
    { name: 'a node, although listed', named: '10.0.0.1', rules: all, want: false },
    { name: 'a pod on the host network, although listed', named: '10.0.0.2', rules: all, want: false },
    { name: 'this gateway, although listed', named: '10.1.0.5', rules: all, want: false },
    { name: 'the API server, although listed', named: '10.96.0.1', rules: all, want: false },
    { name: 'the API server, listed by another spelling', named: '10.0.0.9', rules: all, want: false },
    {
      name: 'a listed name that resolves to the API server',
      named: 'db.example',
      address: '203.0.113.6',
      rules: all,
      want: false,
    },
    { name: 'loopback, although listed', named: '127.0.0.1', rules: all, want: false },
    { name: 'IPv6 loopback, although listed', named: '::1', rules: all, want: false },
    { name: 'a name that resolves to a pod of the namespace', named: 'db.example', address: '10.1.0.1', want: true },
    {
      name: 'a listed name that resolves to a node',
      named: 'db.example',
      address: '10.0.0.1',
      rules: ['db.example:*'],
      want: false,
    },
    { name: 'a listed name, not resolved yet', named: 'db.example', rules: ['db.example:*'], want: true },
    { name: 'a name that is not listed, not resolved yet', named: 'db.example', rules: ['x.example:*'], want: false },
  ];
  for (const { name, rules = [], named, address = named, namespace = 'shop', want } of cases) {
    it(`${name} → ${want ? 'dialled' : 'TARGET_FORBIDDEN'}`, () => {
      const filter = makeTargetFilter(rules, { listeners: [] }, pods);
      assert.equal(filter.allows({ named, address, port: 5432, namespace }), want);
    });
  }
});

describe('parseTargetRule', () => {
  for (const text of [
    '',
    '10.0.0.1',
    '10.0.0.1:0',
    '10.0.0.1:70000',
    'a:b',
    ':5432',
    '[::1]',
    '10.0.0.0/33:*',
    '[fd00::]/129:*',
    'web/8:80',
    '10.0.0.0/:80',
  ]) {
    it(`${JSON.stringify(text)} → ERR_CONFIG`, () => {
      assert.throws(() => parseTargetRule(text), { code: 'ERR_CONFIG' });
    });
  }
  it('[fd00::]/8:* → a range with any port', () => {
    assert.deepEqual(parseTargetRule('[fd00::]/8:*'), { host: 'fd00::/8', port: undefined });
  });
});
