import assert from 'node:assert/strict';
import type { Condition } from '#src/api/object.ts';
import type { IAccessPolicy } from '#src/api/generated/AccessPolicy.ts';
import { explain, type ExplainInput } from '#src/gateway/explain.ts';
import type { GatewaySnapshot, ProbeOutcome, RouteSource, Scheme } from '#src/gateway/messages.ts';
import { compilePolicies } from '#src/policy/compile.ts';

const source = { peer: 'east', namespace: 'shop', name: 'db', ports: [5432], readyEndpoints: 1 };
const allow: IAccessPolicy = {
  apiVersion: 'clusterlink.net/v1alpha1',
  kind: 'AccessPolicy',
  metadata: { namespace: 'store', name: 'all' },
  spec: { action: 'allow', from: [{ workloadSelector: {} }], to: [{ workloadSelector: {} }] },
};

const never: IAccessPolicy = {
  ...allow,
  metadata: { namespace: 'store', name: 'never' },
  spec: { ...allow.spec, action: 'deny' },
};

const forWeb: IAccessPolicy = {
  ...allow,
  spec: {
    ...allow.spec,
    from: [{ workloadSelector: { matchLabels: { 'client.clusterlink.net/namespace': 'web' } } }],
  },
};

function makeInput(
  changes: Partial<ExplainInput> & {
    sources?: RouteSource[];
    scheme?: Scheme;
    policies?: IAccessPolicy[];
    probes?: ProbeOutcome[];
  } = {},
): ExplainInput {
  const { sources = [source], scheme = 'RoundRobin', policies = [allow], probes = [], ...rest } = changes;
  const snapshot: GatewaySnapshot = {
    version: 1,
    peers: [{ name: 'east', labels: {}, gateways: [{ host: 'east.example', port: 4443 }], mayAssert: [] }],
    imports: [
      {
        key: { namespace: 'store', name: 'db' },
        ips: ['127.96.0.1'],
        ports: [{ name: 'pg', protocol: 'TCP', port: 5432 }],
        sources,
        labels: {},
        localFirst: true,
        scheme,
      },
    ],
    exports: [],
    policies: compilePolicies({ privileged: [], regular: policies, baseline: [] }),
  };
  const answers = [...probes];
  return {
    target: 'db.store.svc.clusterset.local:5432',
    zones: ['clusterset.local'],
    self: { name: 'west', labels: {} },
    client: { namespace: 'default', serviceAccount: 'host', labels: {} },
    store: 'dir:./manifests',
    snapshot,
    binding: () => undefined,
    face: () => Promise.resolve(undefined),
    explainAbsence: ({ namespace, name }) =>
      Promise.resolve({
        hop: 'import',
        ok: false,
        subject: `${namespace}/${name}`,
        message: 'there is no such import',
        code: 'IMPORT_DELETED',
        fix: 'import it',
      }),
    peer: (name) => ({ name, sessions: 1, version: '0.1.0', message: '' }),
    probe: () => Promise.resolve(answers.shift() ?? { ok: true }),
    ...rest,
  };
}

describe('explain', () => {
  it('everything is well → nine hops, all ok', async () => {
    const { ok, hops } = await explain(makeInput());
    assert.equal(ok, true);
    assert.deepEqual(
      hops.map(({ hop }) => hop),
      ['name', 'import', 'rule', 'source', 'egress', 'session', 'ingress', 'dial', 'endpoint'],
    );
  });

  it('an Import → its own conditions stand in the hop "import"; a Service in its way too', async () => {
    const faceWith = (...conditions: Condition[]): ExplainInput['face'] => {
      const spec = { port: 80, sources: [] };
      return () =>
        Promise.resolve({ apiVersion: 'clusterlink.net/v1alpha1', kind: 'Import', spec, status: { conditions } });
    };
    const condition = (type: string, status: 'True' | 'False', message: string): Condition => ({
      ...{ type, status, message, reason: 'Error', lastTransitionTime: '' },
    });
    const ready = condition('Ready', 'True', '');
    const messageOf = async (face: ExplainInput['face']): Promise<string | undefined> =>
      (await explain(makeInput({ face }))).hops[1]?.message;
    const well = condition('ImportServiceValid', 'True', '');
    assert.equal(await messageOf(faceWith(ready, well)), '127.96.0.1; Ready=True');
    const taken = condition('ImportServiceValid', 'False', 'There is another. Fix: rename it.');
    assert.equal(
      await messageOf(faceWith(ready, taken)),
      '127.96.0.1; Ready=True; ImportServiceValid=False There is another. Fix: rename it.',
    );
  });

  describe("a source whose peer speaks ClusterLink's form", () => {
    const peer: ExplainInput['peer'] = (name) => ({
      ...{ name, sessions: 1, version: 'clusterlink', form: 'clusterlink' as const },
      message: "It speaks ClusterLink's form; 1 of 1 gateways answer heartbeats.",
    });
    const sessionOf = ({ hops }: Awaited<ReturnType<typeof explain>>): string | undefined =>
      hops.find(({ hop }) => hop === 'session')?.message;

    it('is well → how long ago it was heard', async () => {
      const explained = await explain(makeInput({ peer, probes: [{ ok: true, silentMs: 312 }] }));
      assert.equal(explained.ok, true);
      assert.equal(sessionOf(explained), "speaks ClusterLink's form, heartbeat 0.3 s ago");
    });
    it('denies → the remedy is in its own words: there is no clusterlink-mcs there', async () => {
      const refusal: ProbeOutcome = { ok: false, reason: 'INGRESS_DENIED', message: 'east answered 403 to /authz.' };
      const { hops } = await explain(makeInput({ peer, probes: [refusal] }));
      assert.equal(hops.at(-1)?.hop, 'ingress');
      assert.match(hops.at(-1)?.fix ?? '', /Export shop\/db, and an AccessPolicy .* peer west/);
    });
  });

  it('several sources → by priority, local first; the rule says how it chooses, the source what sets it apart', async () => {
    const input = makeInput({
      sources: [
        { ...source, peer: 'north', priority: 1, weight: 0 },
        { ...source, priority: 1, weight: 4 },
      ],
      scheme: 'LeastLatency',
    });
    const { hops } = await explain(input);
    const messageOf = (wanted: string): string | undefined => hops.find(({ hop }) => hop === wanted)?.message;
    assert.equal(messageOf('rule'), 'makes the import store/db; 2 sources by LeastLatency, local first');
    assert.equal(messageOf('source'), 'offers port 5432; 1 ready endpoint as last said; priority 1; weight 4');
    assert.equal(hops.at(-1)?.subject, 'east/shop/db');
  });

  const denied: ProbeOutcome = { ok: false, reason: 'INGRESS_DENIED', message: 'east answered 404 denied.' };
  const unavailable: ProbeOutcome = {
    ok: false,
    reason: 'NO_USABLE_SOURCE',
    message: 'east answered 503 unavailable.',
  };
  const cases: { name: string; input: ExplainInput; hop: string; code: string; fix: RegExp }[] = [
    {
      name: 'no name',
      input: makeInput({ target: 'nonsense' }),
      hop: 'name',
      code: 'ERR_USAGE',
      fix: /NAME\.NAMESPACE\.svc\.clusterset\.local:PORT/,
    },
    {
      name: 'a name of another zone',
      input: makeInput({ target: 'db.store.svc.cluster.local:5432' }),
      hop: 'name',
      code: 'ERR_USAGE',
      fix: /PORT/,
    },
    {
      name: 'no such import',
      input: makeInput({ target: 'store/web:80' }),
      hop: 'import',
      code: 'IMPORT_DELETED',
      fix: /^import it$/,
    },
    {
      name: 'no egress yes',
      input: makeInput({ policies: [] }),
      hop: 'egress',
      code: 'EGRESS_DENIED',
      fix: /^npx clusterlink-mcs allow --store dir:\.\/manifests --namespace store --export shop\/db --to-peer east$/,
    },
    {
      name: 'a client that is not identified, where a policy names workloads',
      input: makeInput({ client: { unidentified: 'node-address' }, policies: [forWeb] }),
      hop: 'egress',
      code: 'CLIENT_UNKNOWN',
      fix: /masquerading/,
    },
    {
      name: 'no session',
      input: makeInput({ peer: (name) => ({ name, sessions: 0, reason: 'CERT_EXPIRED', message: 'expired' }) }),
      hop: 'session',
      code: 'CERT_EXPIRED',
      fix: /renew cert east/,
    },
    {
      name: 'a peer that was revoked',
      input: makeInput({ peer: (name) => ({ name, sessions: 0, reason: 'REVOKED', message: 'revoked' }) }),
      hop: 'session',
      code: 'REVOKED',
      fix: /a new certificate .*sign cert/,
    },
    {
      name: 'a peer by a root that is not its own',
      input: makeInput({ peer: (name) => ({ name, sessions: 0, reason: 'PEER_ROOT_MISMATCH', message: 'x' }) }),
      hop: 'session',
      code: 'PEER_ROOT_MISMATCH',
      fix: /annotation mcs\.clusterlink\.net\/roots of the Peer object east/,
    },
    {
      name: 'no Peer object',
      input: makeInput({ peer: () => undefined }),
      hop: 'session',
      code: 'PEER_UNKNOWN',
      fix: /Peer object east/,
    },
    {
      name: 'no ready endpoint',
      input: makeInput({ sources: [{ ...source, readyEndpoints: 0 }] }),
      hop: 'endpoint',
      code: 'NO_USABLE_SOURCE',
      fix: /endpoints that are ready/,
    },
    {
      name: 'no ingress yes',
      input: makeInput({ probes: [denied] }),
      hop: 'ingress',
      code: 'INGRESS_DENIED',
      fix: /at east: npx clusterlink-mcs allow --namespace shop --export shop\/db --from-peer west/,
    },
    {
      name: 'a policy here denies it',
      input: makeInput({ policies: [allow, never] }),
      hop: 'egress',
      code: 'EGRESS_DENIED',
      fix: /^change or remove AccessPolicy store\/never in dir:\.\/manifests$/,
    },
    {
      name: 'the session is lost while the far side is asked',
      input: makeInput({
        probes: [{ ok: false, reason: 'PEER_UNREACHABLE', message: 'east did not answer in time.' }],
      }),
      hop: 'session',
      code: 'PEER_UNREACHABLE',
      fix: /gateway of east/,
    },
    {
      name: 'the answer is a no when it is asked to dial',
      input: makeInput({ probes: [{ ok: true }, denied] }),
      hop: 'ingress',
      code: 'INGRESS_DENIED',
      fix: /at east: npx clusterlink-mcs allow/,
    },
    {
      name: 'the dial has no end while the session is there',
      input: makeInput({
        probes: [{ ok: true }, { ok: false, reason: 'PEER_UNREACHABLE', message: 'east did not answer in time.' }],
      }),
      hop: 'dial',
      code: 'DIAL_FAILED',
      fix: /at east: see that the endpoints of shop\/db listen/,
    },
    {
      name: 'a port that is no port',
      input: makeInput({ target: 'store/db:65536' }),
      hop: 'name',
      code: 'ERR_USAGE',
      fix: /NAMESPACE\/NAME:PORT/,
    },
    {
      name: 'a port that the import has not',
      input: makeInput({ target: 'store/db:5433' }),
      hop: 'import',
      code: 'NOTHING_OFFERED',
      fix: /^use one of its TCP ports: 5432$/,
    },
    {
      name: 'nobody listens',
      input: makeInput({ probes: [{ ok: true }, unavailable] }),
      hop: 'dial',
      code: 'NO_USABLE_SOURCE',
      fix: /exports\.targets/,
    },
  ];
  for (const { name, input, hop, code, fix } of cases) {
    it(`${name} → fails at ${hop} with ${code} and what mends it`, async () => {
      const { ok, hops } = await explain(input);
      const failed = hops.at(-1);
      assert.deepEqual([ok, failed?.ok, failed?.hop, failed?.code], [false, false, hop, code]);
      assert.match(failed?.fix ?? '', fix);
    });
  }

  it('the first source fails and the second works → ok', async () => {
    const { ok, hops } = await explain(
      makeInput({
        sources: [source, { ...source, peer: 'south' }],
        probe: ({ source: { peer } }) => Promise.resolve(peer === 'east' ? denied : { ok: true }),
      }),
    );
    assert.equal(ok, true);
    assert.equal(hops.at(-1)?.subject, 'south/shop/db');
  });
});
