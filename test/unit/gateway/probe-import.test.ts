import assert from 'node:assert/strict';
import type { GatewaySnapshot, ProbeOutcome } from '#src/gateway/messages.ts';
import { probeImport, type ProbeInput } from '#src/gateway/probe-import.ts';
import { compilePolicies } from '#src/policy/compile.ts';

function makeInput(
  target: string,
  outcomes: Readonly<Record<string, ProbeOutcome>>,
  action: 'allow' | 'deny' = 'allow',
): ProbeInput {
  const sources = Object.keys(outcomes).map((peer) => ({
    peer,
    namespace: 'shop',
    name: 'db',
    ports: [5432],
    readyEndpoints: 1,
  }));
  const snapshot: GatewaySnapshot = {
    version: 1,
    peers: [],
    imports: [
      {
        key: { namespace: 'store', name: 'db' },
        ips: ['127.96.0.1'],
        ports: [{ name: 'pg', protocol: 'TCP', port: 5432 }],
        sources,
        labels: {},
        localFirst: true,
      },
    ],
    exports: [],
    policies: compilePolicies({
      privileged: [],
      regular: [
        {
          apiVersion: 'clusterlink.net/v1alpha1',
          kind: 'AccessPolicy',
          metadata: { namespace: 'store', name: 'all' },
          spec: { action, from: [{ workloadSelector: {} }], to: [{ workloadSelector: {} }] },
        },
      ],
      baseline: [],
    }),
  };
  return {
    target,
    zones: ['clusterset.local'],
    self: { name: 'west', labels: {} },
    client: { namespace: 'default', serviceAccount: 'host', labels: {} },
    snapshot,
    probe: ({ source: { peer } }) => Promise.resolve(outcomes[peer] ?? { ok: true }),
  };
}

const failed: ProbeOutcome = { ok: false, reason: 'NO_USABLE_SOURCE', message: 'no' };

describe('probeImport', () => {
  it('one of two sources answers → ok, both in order of precedence', async () => {
    const { ok, sources } = await probeImport(makeInput('store/db:5432', { east: failed, south: { ok: true } }));
    assert.equal(ok, true);
    assert.deepEqual(
      sources.map(({ source, code }) => [source, code]),
      [
        ['east/shop/db', 'NO_USABLE_SOURCE'],
        ['south/shop/db', undefined],
      ],
    );
  });

  it('none answers → not ok', async () => {
    assert.equal((await probeImport(makeInput('store/db:5432', { east: failed }))).ok, false);
  });

  it('no egress yes → nobody is asked', async () => {
    const input = makeInput('store/db:5432', { east: { ok: true } }, 'deny');
    const { ok, sources } = await probeImport({ ...input, probe: () => assert.fail('asked') });
    assert.deepEqual([ok, sources[0]?.code], [false, 'EGRESS_DENIED']);
  });

  for (const [target, code] of [
    ['nonsense', 'ERR_USAGE'],
    ['store/web:80', 'ERR_NOT_FOUND'],
    ['store/db:1', 'ERR_NOT_FOUND'],
  ] as const) {
    it(`${target} → ${code}`, () => assert.rejects(probeImport(makeInput(target, { east: failed })), { code }));
  }

  for (const [count, asked] of [
    [16, 16],
    [17, 16],
  ] as const) {
    it(`${count} sources → ${asked} are asked`, async () => {
      const outcomes = Object.fromEntries(Array.from({ length: count }, (_, index) => [`p${index}`, failed]));
      assert.equal((await probeImport(makeInput('store/db:5432', outcomes))).sources.length, asked);
    });
  }
});
