import assert from 'node:assert/strict';
import type { INode } from '#src/api/generated/Node.ts';
import type { IPod } from '#src/api/generated/Pod.ts';
import { makeClientIndex } from '#src/gateway/clients.ts';

interface PodChanges {
  readonly ips?: readonly string[];
  readonly phase?: NonNullable<IPod['status']>['phase'];
  readonly hostNetwork?: boolean;
  readonly labels?: Record<string, string>;
}

function makePod(name: string, { ips = [], phase = 'Running', hostNetwork = false, labels = {} }: PodChanges): IPod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'web', name, labels },
    spec: { serviceAccountName: `sa-${name}`, hostNetwork },
    status: {
      ...(phase === undefined ? {} : { phase }),
      ...(ips[0] === undefined ? {} : { podIP: ips[0] }),
      podIPs: ips.map((ip) => ({ ip })),
    },
  };
}

function makeNode(address: string): INode {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'n1' },
    status: {
      addresses: [
        { type: 'InternalIP', address },
        { type: 'Hostname', address: 'n1' },
      ],
    },
  };
}

describe('makeClientIndex', () => {
  const ip = '10.1.0.7';
  const only = (changes: PodChanges): IPod[] => [makePod('a', { ips: [ip], ...changes })];
  const cases: { name: string; pods: IPod[]; node?: INode; from?: string; want: string | undefined }[] = [
    { name: 'one live pod', pods: only({}), want: 'sa-a' },
    { name: 'a pod that is starting', pods: only({ phase: 'Pending' }), want: 'sa-a' },
    { name: 'no pod', pods: [], want: undefined },
    { name: 'a pod without an address yet', pods: only({ ips: [] }), want: undefined },
    { name: 'a pod that has finished', pods: only({ phase: 'Succeeded' }), want: undefined },
    { name: 'a pod that has failed', pods: only({ phase: 'Failed' }), want: undefined },
    {
      name: 'an address that a finished pod had before',
      pods: [makePod('old', { ips: [ip], phase: 'Failed' }), ...only({})],
      want: 'sa-a',
    },
    {
      name: 'an address that two live pods have',
      pods: [...only({}), makePod('b', { ips: [ip] })],
      want: 'several-pods',
    },
    {
      name: 'an address that a live pod and a lost one have',
      pods: [...only({}), makePod('b', { ips: [ip], phase: 'Unknown' })],
      want: 'several-pods',
    },
    { name: 'a pod on the host network', pods: only({ hostNetwork: true }), want: 'host-network' },
    {
      name: 'a pod beside one on the host network',
      pods: [...only({}), makePod('b', { ips: [ip], hostNetwork: true })],
      want: 'host-network',
    },
    { name: 'the address of a node', pods: [], node: makeNode(ip), want: 'node-address' },
    { name: 'the address of a node, which a pod claims too', pods: only({}), node: makeNode(ip), want: 'node-address' },
    {
      name: 'the address of this gateway',
      pods: [makePod('gw', { ips: ['10.1.0.1'] })],
      from: '10.1.0.1',
      want: 'gateway-address',
    },
    { name: 'IPv4 in IPv6 clothes', pods: only({}), from: '::ffff:10.1.0.7', want: 'sa-a' },
    { name: 'IPv4 in IPv6 clothes, in hexadecimal', pods: only({}), from: '::FFFF:0a01:0007', want: 'sa-a' },
    { name: 'the second address of a pod', pods: only({ ips: [ip, 'fd00::7'] }), from: 'fd00::7', want: 'sa-a' },
    {
      name: 'IPv6, spelled otherwise and with a zone',
      pods: only({ ips: ['FD00:0:0::7'] }),
      from: 'fd00:0000::0007%eth0',
      want: 'sa-a',
    },
  ];
  for (const { name, pods, node, from = ip, want } of cases) {
    it(`${name} → ${want ?? 'nobody'}`, () => {
      const index = makeClientIndex({ own: ['10.1.0.1'] });
      for (const pod of pods) index.setPod(`web/${pod.metadata?.name}`, pod);
      index.setNode('n1', node);
      const found = index.at(from);
      const said =
        found === undefined ? undefined : 'unidentified' in found ? found.unidentified : found.serviceAccount;
      assert.equal(said, want);
    });
  }

  it('a change → a delta of what it changes; a change of nothing that counts → none', () => {
    const index = makeClientIndex({ own: [] });
    index.setPod('web/a', makePod('a', { ips: [ip] }));
    assert.deepEqual(
      index.takeDelta().set.map(([address]) => address),
      [ip],
    );
    index.setPod('web/a', {
      ...makePod('a', { ips: [ip] }),
      metadata: { namespace: 'web', name: 'a', labels: {}, annotations: { x: 'y' } },
    });
    assert.deepEqual(index.takeDelta(), { set: [], remove: [] });
    index.setPod('web/a', makePod('a', { ips: [ip], labels: { app: 'x' } }));
    assert.deepEqual(index.takeDelta().set, [[ip, { namespace: 'web', serviceAccount: 'sa-a', labels: { app: 'x' } }]]);
    index.setPod('web/a', makePod('a', { ips: ['10.1.0.8'] }));
    const moved = index.takeDelta();
    assert.deepEqual([moved.set.map(([address]) => address), moved.remove], [['10.1.0.8'], [ip]]);
    index.setPod('web/a', undefined);
    assert.deepEqual(index.takeDelta(), { set: [], remove: ['10.1.0.8'] });
    assert.deepEqual(index.all(), { set: [], remove: [] });
  });

  it('an address goes from one pod to the next → never nobody’s in between, and the next one’s in the end', () => {
    const index = makeClientIndex({ own: [] });
    index.setPod('web/a', makePod('a', { ips: [ip] }));
    index.setPod('web/b', makePod('b', { ips: [ip] }));
    assert.deepEqual(index.at(ip), { unidentified: 'several-pods' });
    index.setPod('web/a', makePod('a', { ips: [ip], phase: 'Succeeded' }));
    assert.deepEqual(index.takeDelta().set, [[ip, { namespace: 'web', serviceAccount: 'sa-b', labels: {} }]]);
  });

  it('10,000 pods → one change costs no more than its own addresses', () => {
    const index = makeClientIndex({ own: [] });
    const ipOf = (number: number): string => `10.${number >> 16}.${(number >> 8) & 255}.${number & 255}`;
    for (let number = 0; number < 10_000; number++)
      index.setPod(`web/${number}`, makePod(`${number}`, { ips: [ipOf(number)] }));
    assert.equal(index.takeDelta().set.length, 10_000);
    const startMs = performance.now();
    for (let round = 0; round < 1_000; round++) {
      index.setPod('web/5', makePod('5', { ips: [ipOf(5)], labels: { round: String(round) } }));
      assert.equal(index.takeDelta().set.length, 1);
    }
    assert.ok(performance.now() - startMs < 500, `${performance.now() - startMs} ms`);
  });
});
