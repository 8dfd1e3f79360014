import assert from 'node:assert/strict';
import type { IEndpointSlice } from '#src/api/generated/EndpointSlice.ts';
import type { TargetProspect } from '#src/catalogue/host-targets.ts';
import { makeTargetForesight } from '#src/gateway/target-foresight.ts';

const slice: IEndpointSlice = {
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { namespace: 'shop', name: 'db-x' },
  addressType: 'IPv4',
  endpoints: [
    { addresses: ['10.1.0.1'], targetRef: { kind: 'Pod', name: 'db-0' } },
    // Written by hand: nobody has looked for a pod there.
    { addresses: ['192.0.2.9'] },
  ],
};

describe('makeTargetForesight', () => {
  const CASES: readonly [
    title: string,
    targets: readonly string[],
    target: string,
    cluster: boolean,
    prospect: TargetProspect,
  ][] = [
    ['cluster: an address that nobody listed', [], '192.0.2.9:80', true, 'unseen'],
    ['cluster: one that is listed', ['192.0.2.0/24:80'], '192.0.2.9:80', true, 'permitted'],
    ['cluster: listed at another port', ['192.0.2.0/24:443'], '192.0.2.9:80', true, 'unseen'],
    ['cluster: a pod of the namespace behind a Service', [], '10.1.0.1:80', true, 'permitted'],
    ['cluster: link-local, listed or not', ['169.254.169.254:80'], '169.254.169.254:80', true, 'forbidden'],
    ['cluster: a name that is listed', ['db.example:80'], 'db.example:80', true, 'permitted'],
    ['cluster: a name that is not, whatever it resolves to', ['192.0.2.0/24:80'], 'db.example:80', true, 'forbidden'],
    ['standalone: loopback that is listed', ['127.0.0.1:*'], '127.0.0.1:80', false, 'permitted'],
    ['standalone: loopback that is not', ['*:*'], '127.0.0.1:80', false, 'forbidden'],
    ['standalone: a name that may resolve to what is listed', ['127.0.0.0/8:*'], 'db.example:80', false, 'permitted'],
    ['standalone: a name, where only another one is listed', ['web.example:80'], 'db.example:80', false, 'forbidden'],
    ['standalone: a name, and no rule for the port', ['127.0.0.1:443'], 'db.example:80', false, 'forbidden'],
    ['standalone: nothing listed', [], 'db.example:80', false, 'forbidden'],
  ];
  for (const [title, targets, target, cluster, prospect] of CASES) {
    it(`${title} → ${prospect}`, () => {
      const [host = '', port] = target.split(':');
      const foresight = makeTargetForesight({ targets, ...(cluster ? { slices: () => [slice] } : {}) });
      assert.equal(foresight({ namespace: 'shop', host, port: Number(port) }), prospect);
    });
  }

  it('a pod of another namespace → forbidden', () => {
    const foresight = makeTargetForesight({ targets: [], slices: () => [slice] });
    assert.equal(foresight({ namespace: 'bank', host: '10.1.0.1', port: 80 }), 'forbidden');
  });
});
