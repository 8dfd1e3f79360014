import assert from 'node:assert/strict';
import {
  formatFindings,
  judgeCluster,
  type ClusterObservation,
  type Finding,
  type ObservedGateway,
} from '#src/cli/check-cluster.ts';
import type { Manifest } from '#src/cli/deploy/manifests.ts';

function crd(name: string, versions: Readonly<Record<string, boolean>>, established = 'True'): Manifest {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name },
    spec: { versions: Object.entries(versions).map(([version, served]) => ({ name: version, served })) },
    status: { conditions: [{ type: 'Established', status: established }] },
  };
}

const PEERS = crd('peers.clusterlink.net', { v1alpha1: true });
const EXPORTS = crd('serviceexports.multicluster.x-k8s.io', { v1beta1: true, v1alpha1: true });
const PROPERTIES = crd('clusterproperties.about.k8s.io', { v1beta1: true });
const VISIBLE: ObservedGateway = { pod: 'gateway-1', clients: { verdict: 'visible' } };
const HEALTHY: ClusterObservation = {
  crds: [PEERS, EXPORTS, PROPERTIES].map((wanted) => ({ wanted, present: wanted })),
  components: [{ name: 'gateway', replicas: 2, readyPods: 2 }],
  gateways: [VISIBLE],
};

/** Those that are not ok. */
function wrong(observation: Partial<ClusterObservation>): Finding[] {
  return judgeCluster({ ...HEALTHY, ...observation }).filter(({ result }) => result !== 'ok');
}

describe('judgeCluster', () => {
  it('everything as it should be → a line for each thing, all ok, nothing to mend', () => {
    const findings = judgeCluster(HEALTHY);
    assert.deepEqual(
      findings.map(({ result, about, found, fix }) => [result, about, found, fix]),
      [
        ['ok', 'CRD peers.clusterlink.net', 'v1alpha1 served', undefined],
        ['ok', 'CRD serviceexports.multicluster.x-k8s.io', 'v1beta1, v1alpha1 served', undefined],
        ['ok', 'CRD clusterproperties.about.k8s.io', 'v1beta1 served', undefined],
        ['ok', 'pods of gateway', '2 of 2 ready', undefined],
        ['ok', 'clients of gateway-1', 'seen with the addresses of their pods', undefined],
      ],
    );
  });

  const of = (wanted: Manifest, present: Manifest | undefined): Partial<ClusterObservation> => ({
    crds: [{ wanted, present }],
  });
  const component = (replicas: number | undefined, readyPods: number): Partial<ClusterObservation> => ({
    components: [{ name: 'dns', replicas, readyPods }],
  });
  const gateway = (clients: ObservedGateway['clients']): Partial<ClusterObservation> => ({
    gateways: [VISIBLE, { pod: 'gateway-2', clients }],
  });
  const name = 'serviceexports.multicluster.x-k8s.io';
  const cases: readonly (readonly [
    what: string,
    observation: Partial<ClusterObservation>,
    result: 'ok' | 'warning' | 'failed',
    found?: RegExp,
    fix?: RegExp,
  ])[] = [
    ['a CRD is missing', of(PEERS, undefined), 'failed', /^not installed$/, /deploy peer/],
    ['the CRD of properties is missing', of(PROPERTIES, undefined), 'warning', /no properties/, /deploy peer/],
    ['somebody’s older CRD', of(EXPORTS, crd(name, { v1alpha1: true })), 'ok'],
    [
      'somebody’s newer CRD that serves an older version too',
      of(EXPORTS, crd(name, { v1: true, v1beta1: true })),
      'ok',
    ],
    [
      'a CRD in no version of ours',
      of(EXPORTS, crd(name, { v1: true, v1beta1: false })),
      'failed',
      /^serves v1, and this program speaks v1beta1, v1alpha1$/,
      /serve one of these/,
    ],
    ['a CRD that serves nothing', of(EXPORTS, crd(name, { v1beta1: false })), 'failed', /^serves no version/, /serve/],
    [
      'a CRD whose names another has',
      of(EXPORTS, crd(name, { v1beta1: true }, 'False')),
      'failed',
      /established/,
      /get crd serviceexports/,
    ],
    ['a part is not installed', component(undefined, 0), 'failed', /^not installed$/, /deploy peer/],
    ['no pod is ready', component(2, 0), 'failed', /^0 of 2 ready$/, /logs POD/],
    ['a part is scaled to nothing', component(0, 0), 'failed', /^0 of 0 ready$/, /get pods/],
    ['one of two is ready', component(2, 1), 'warning', /^1 of 2 ready$/, /logs POD/],
    ['an old pod of a rollout is ready too', component(2, 3), 'ok'],
    [
      'a node’s address is seen',
      gateway({ verdict: 'hidden', seen: '172.18.0.2' }),
      'failed',
      /^seen as 172\.18\.0\.2 .*policies that name workloads let none in$/,
      /masquerad/,
    ],
    ['nobody else has answered', gateway({ verdict: 'unknown' }), 'warning', /not known yet/, /run the command again/],
    [
      'a gateway cannot be asked',
      gateway({ unread: 'x is closed' }),
      'warning',
      /x is closed/,
      /port-forward pod\/gateway-2/,
    ],
    ['no gateway is ready', { gateways: [] }, 'warning', /no gateway is ready/, /run the command again/],
  ];
  for (const [what, observation, result, found, fix] of cases) {
    it(`${what} → ${result}${found === undefined ? '' : ', what was found, and what mends it'}`, () => {
      const [finding, ...others] = wrong(observation);
      assert.deepEqual(others, []);
      assert.equal(finding?.result ?? 'ok', result);
      if (found === undefined || fix === undefined) return;
      assert.match(finding?.found ?? '', found);
      assert.match(finding?.fix ?? '', fix);
    });
  }
});

describe('formatFindings', () => {
  const findings: readonly Finding[] = [
    { result: 'ok', about: 'a', found: 'fine' },
    { result: 'failed', about: 'b', found: 'missing', fix: 'make it' },
    { result: 'failed', about: 'c\u001b[2J', found: 'missing', fix: 'make it' },
    { result: 'warning', about: 'd', found: 'late', fix: 'wait' },
  ];

  it('text → a line for each, then each remedy once, and nothing that moves the cursor', () => {
    const lines = formatFindings(findings.slice(0, 2).concat(findings.slice(3)), 'text').split('\n');
    assert.deepEqual(
      lines.map((line) => line.split(/ {2,}/)),
      [
        ['RESULT', 'ABOUT', 'FOUND'],
        ['ok', 'a', 'fine'],
        ['failed', 'b', 'missing'],
        ['warning', 'd', 'late'],
        ['Fix (b): make it'],
        ['Fix (d): wait'],
      ],
    );
    assert.match(formatFindings(findings, 'wide'), /^Fix \(b, c \[2J\): make it$/m);
  });

  it('json, yaml → the list', () => {
    assert.deepEqual(JSON.parse(formatFindings(findings, 'json')), findings);
    assert.match(formatFindings(findings, 'yaml'), /^- result: ok\n {2}about: a\n {2}found: fine$/m);
  });
});
