import assert from 'node:assert/strict';
import { callCommand, lookUpCommand, podIpsIn } from '#test/conformance/tests/commands.ts';
import { expectEqual, expectMetadata, expectPorts, readyEndpointsOf } from '#test/conformance/tests/expectations.ts';
import { toEvidence } from '#test/conformance/outcome.ts';

const TCP = { name: 'tcp', protocol: 'TCP', port: 42 };
const UDP = { name: 'Udp', protocol: 'UDP', port: 42 };
const imported = (ports: readonly object[]) => ({
  metadata: { name: 'hello' },
  spec: { ports: ports as { name: string; port: number }[] },
});

describe('expectPorts', () => {
  it('another order, target ports → equal', () => {
    expectPorts(imported([UDP, TCP]), [{ ...TCP, targetPort: 4242 }, UDP]);
  });

  const unequal: [string, object[]][] = [
    ['a port is missing', [TCP]],
    ['a port too many', [TCP, UDP, { name: 'x', protocol: 'TCP', port: 1 }]],
    ['another number', [{ ...TCP, port: 43 }, UDP]],
    ['no protocol', [{ name: 'tcp', port: 42 }, UDP]],
    ['an appProtocol', [{ ...TCP, appProtocol: 'http' }, UDP]],
  ];
  for (const [what, ports] of unequal) {
    it(`${what} → throws`, () => assert.throws(() => expectPorts(imported(ports), [TCP, UDP]), /spec\.ports is/));
  }

  it('an appProtocol of null → as if absent', () => expectPorts(imported([{ ...TCP, appProtocol: null }]), [TCP]));
});

describe('expectEqual', () => {
  it('null and absent → equal', () => expectEqual('it', null, undefined));
  it('deep differences → shown', () => {
    assert.throws(() => expectEqual('it', { a: 1 }, { a: 2 }), { message: 'it is {"a":1}, expected {"a":2}' });
  });
});

describe('expectMetadata', () => {
  const found = (labels: Record<string, string>, annotations: Record<string, string>) => ({
    metadata: { name: 'hello', labels, annotations },
  });
  const expected = {
    labels: { has: { l: 'true' }, hasNot: ['dummy-svc'] },
    annotations: { has: { a: 'true' }, hasNot: ['dummy-svc'] },
  };

  it('more than was exported, of the implementation → fine', () =>
    expectMetadata(found({ l: 'true', own: 'x' }, { a: 'true' }), expected));
  it('one is missing → throws', () =>
    assert.throws(() => expectMetadata(found({ l: 'true' }, {}), expected), /annotations a is null/));
  it('one of the Service → throws', () => {
    assert.throws(() => expectMetadata(found({ l: 'true', 'dummy-svc': '' }, { a: 'true' }), expected), /not exported/);
  });
});

describe('readyEndpointsOf', () => {
  it('unset means ready; no host name is an empty one', () => {
    const slice = {
      metadata: { name: 's' },
      addressType: 'IPv4',
      endpoints: [
        { addresses: ['10.0.0.1'] },
        { addresses: ['10.0.0.2'], conditions: { ready: false } },
        { addresses: ['10.0.0.3'], conditions: { ready: true }, hostname: 'h' },
      ],
    };
    assert.deepEqual(readyEndpointsOf([slice, { metadata: { name: 'empty' }, addressType: 'IPv4' }]), [
      { addresses: ['10.0.0.1'], hostname: '' },
      { addresses: ['10.0.0.3'], hostname: 'h' },
    ]);
  });
});

describe('commands', () => {
  it('IPv4 → nc by name, without a dot at its end (CNF-02)', () => {
    assert.deepEqual(callCommand('hello.ns.svc.zone', { family: 'IPv4', port: 42 }), [
      'sh',
      '-c',
      'echo hi | nc -v -w 2 -4 hello.ns.svc.zone 42',
    ]);
  });
  it('IPv6 → looked up first, the last address is dialled (CNF-02)', () => {
    const [, , script = ''] = callCommand('hello.ns.svc.zone', { family: 'IPv6', port: 42 });
    assert.match(
      script,
      /nslookup -type=AAAA hello\.ns\.svc\.zone\. .*tail -n 1\); echo hi \| nc -v -w 2 -6 "\$address" 42$/,
    );
  });
  it('a look-up → the program itself, no shell', () => {
    assert.deepEqual(lookUpCommand('hello.zone.', 'SRV'), ['nslookup', '-type=SRV', 'hello.zone.']);
  });
  it('answers → the addresses of pods, whole', () => {
    assert.deepEqual(podIpsIn('Connection to x 42 port [tcp/*] succeeded!\r\npod ip 10.244.0.51\r\n'), ['10.244.0.51']);
    assert.deepEqual(podIpsIn('nc: connect failed'), []);
  });
});

describe('toEvidence', () => {
  it('escape sequences and lines → one harmless line', () => {
    assert.equal(toEvidence('a\r\nb\u001b[31mc\u0000\u009b'), 'a | b?[31mc??');
  });
  it('at the limit, and one beyond → whole, cut', () => {
    assert.equal(toEvidence('x'.repeat(5), 5), 'xxxxx');
    assert.equal(toEvidence('x'.repeat(6), 5), 'xxxxx...');
  });
});
