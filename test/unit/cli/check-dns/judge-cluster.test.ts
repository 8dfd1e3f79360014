import assert from 'node:assert/strict';
import { parse } from 'yaml';
import { changesOf, formatChanges, formatDnsFindings } from '#src/cli/check-dns/findings.ts';
import type { ClusterDns, ClusterObservation } from '#src/cli/check-dns/observation.ts';
import type { Manifest } from '#src/cli/deploy/manifests.ts';
import { ADDRESS, BLOCK, configMap, coreDns, findingsFor, KUBEADM_COREFILE, verdictsFor } from './cluster.ts';

const ROOT = '.:53 {\n    forward . /etc/resolv.conf\n}\n';
const MULTICLUSTER =
  'clusterset.local:53 {\n    kubernetes clusterset.local {\n        multicluster clusterset.local\n    }\n}\n';
const NODE_LOCAL =
  'cluster.local:53 {\n    forward . __PILLAR__CLUSTER__DNS__\n}\n.:53 {\n    forward . __PILLAR__UPSTREAM__SERVERS__\n}\n';
const CONFIGURATION = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'clusterlink-mcs', namespace: 'clusterlink-system' },
  data: { 'peer.yaml': '# mine\ndns:\n  # narrow\n  clients: [127.0.0.0/8]\n' },
};

type Row = readonly [title: string, part: Partial<ClusterObservation>, expected: string[]];

function dns(text: string, part: Parameters<typeof coreDns>[1] = {}): Pick<ClusterObservation, 'dns'> {
  return { dns: coreDns(text, part) };
}

/** @param upstreams - of the zone; undefined: there is no server for it. */
function operator(upstreams?: readonly string[]): { readonly dns: ClusterDns; readonly distribution: 'openshift' } {
  const other = { name: 'corp', zones: ['corp.example'], forwardPlugin: { upstreams: ['10.9.9.9'] } };
  const ours = { name: 'ours', zones: ['clusterset.local'], forwardPlugin: { upstreams } };
  const object: Manifest = {
    apiVersion: 'operator.openshift.io/v1',
    kind: 'DNS',
    metadata: { name: 'default' },
    spec: { servers: upstreams === undefined ? [other] : [other, ours] },
  };
  return { distribution: 'openshift', dns: { kind: 'operator', object } };
}

function kubeDns(stubDomains?: string): Partial<ClusterObservation> {
  const data = stubDomains === undefined ? {} : { stubDomains };
  return { distribution: 'gke', dns: { kind: 'kube-dns', configMap: configMap('kube-dns', data), askers: [] } };
}

function nodeLocal(text: string, stubDomains?: string): Partial<ClusterObservation> {
  return {
    settings: { zones: ['clusterset.local'], clients: ['10.0.0.0/8', '192.168.0.0/16'], configMap: undefined },
    nodeLocal: {
      configMap: configMap('node-local-dns', { Corefile: text }),
      stubDomains: stubDomains === undefined ? undefined : configMap('kube-dns', { stubDomains }),
    },
  };
}

const ROWS: readonly Row[] = [
  ['all as it should be', {}, ['ok Wired']],
  [
    'no Service of ours, nothing wired',
    { responder: undefined, ...dns(ROOT) },
    ['failed NotInstalled', 'failed NotWired'],
  ],
  ['no ready endpoint', { readyEndpoints: 0 }, ['failed NoReadyEndpoint', 'ok Wired']],
  ['endpoints that may not be read', { readyEndpoints: { unread: 'forbidden' } }, ['ok Wired']],
  ['nothing wired', dns(ROOT), ['failed NotWired']],
  ['an empty Corefile', dns(''), ['failed NotWired']],
  [
    'a block on a port that nobody asks',
    dns(`${ROOT}clusterset.local:5300 {\n forward . ${ADDRESS}\n}`),
    ['failed NotWired'],
  ],
  ['a block for TLS', dns(`${ROOT}tls://clusterset.local:53 {\n forward . ${ADDRESS}\n}`), ['failed NotWired']],
  ['a block for another zone', dns(`${ROOT}other.local {\n forward . ${ADDRESS}\n}`), ['failed NotWired']],
  ['a zone that ends alike', dns(`${ROOT}rset.local {\n forward . ${ADDRESS}\n}`), ['failed NotWired']],
  ['a block for a zone around it', dns(`${ROOT}local {\n forward . ${ADDRESS}\n}`), ['ok Wired']],
  [
    'a block in capitals, with a dot',
    dns(`${ROOT}dns://ClusterSet.LOCAL.:53 {\n forward . ${ADDRESS}\n}`),
    ['ok Wired'],
  ],
  [
    'forward of the zone in the block of all',
    dns(`. {\n forward clusterset.local ${ADDRESS}\n forward . 8.8.8.8\n}`),
    ['ok Wired'],
  ],
  ['everything forwarded to the responder', dns(`. {\n forward . ${ADDRESS}\n}`), ['ok Wired']],
  [
    'CoreDNS on port 1053',
    dns(`.:1053 {\n errors\n}\nclusterset.local:1053 {\n forward . ${ADDRESS}\n}`),
    ['ok Wired'],
  ],
  ['the address with its port', dns(`${ROOT}clusterset.local {\n forward . dns://${ADDRESS}:53\n}`), ['ok Wired']],
  [
    'another Service with a fixed address',
    {
      ...dns(`${ROOT}clusterset.local {\n forward . 10.96.0.7\n}`),
      responder: { addresses: [ADDRESS], port: 53, others: ['10.96.0.7'] },
    },
    ['ok Wired'],
  ],
  [
    'IPv6, written in another way',
    {
      ...dns(`${ROOT}clusterset.local {\n forward . [fd00:0::0053]:53\n}`),
      responder: { addresses: ['fd00::53'], port: 53, others: [] },
    },
    ['ok Wired'],
  ],
  ['an old address', dns(`${ROOT}clusterset.local {\n forward . 10.96.9.9\n}`), ['failed WiredElsewhere']],
  ['another port', dns(`${ROOT}clusterset.local {\n forward . ${ADDRESS}:5353\n}`), ['failed WiredElsewhere']],
  [
    'an old address beside the right one',
    dns(`${ROOT}clusterset.local {\n forward . 10.96.9.9 ${ADDRESS}\n}`),
    ['ok Wired', 'warning WiredElsewhere'],
  ],
  ['forward to nowhere', dns(`${ROOT}clusterset.local {\n forward .\n}`), ['failed WiredElsewhere']],
  ['forward to a file', dns(`${ROOT}clusterset.local {\n forward . /etc/resolv.conf\n}`), ['failed WiredElsewhere']],
  ['a Corefile with half a block', dns('.:53 {\n errors\n'), ['failed CorefileUnreadable']],
  ['multicluster with its rights', dns(ROOT + MULTICLUSTER, { mayReadImports: true }), ['ok Wired']],
  ['multicluster without', dns(ROOT + MULTICLUSTER), ['failed MulticlusterForbidden']],
  [
    'multicluster, rights unknown',
    dns(ROOT + MULTICLUSTER, { mayReadImports: { unread: '403' } }),
    ['ok Wired', 'warning MulticlusterUnknown'],
  ],
  [
    'multicluster, the zone in no list',
    dns('. {\n kubernetes cluster.local {\n multicluster clusterset.local\n }\n}', { mayReadImports: true }),
    ['failed ZoneNotListed'],
  ],
  [
    'multicluster in the block of all',
    dns('. {\n kubernetes cluster.local clusterset.local {\n multicluster clusterset.local\n }\n}', {
      mayReadImports: true,
    }),
    ['ok Wired'],
  ],
  [
    'both ways in one block',
    dns(
      `${ROOT}clusterset.local {\n kubernetes clusterset.local {\n multicluster clusterset.local\n }\n forward . ${ADDRESS}\n}`,
      { mayReadImports: true },
    ),
    ['failed WiredTwice'],
  ],
  [
    'both ways in two blocks',
    dns(`. {\n kubernetes cluster.local clusterset.local {\n multicluster clusterset.local\n }\n}\n${BLOCK}`, {
      mayReadImports: true,
    }),
    ['failed WiredTwice'],
  ],
  [
    'cache 30, which keeps no longer than answers say',
    dns(`${ROOT}clusterset.local {\n cache 30\n forward . ${ADDRESS}\n}`),
    ['ok Wired'],
  ],
  [
    'cache with a large MINTTL',
    dns(`${ROOT}clusterset.local {\n cache {\n success 100 60 30\n }\n forward . ${ADDRESS}\n}`),
    ['ok Wired', 'warning CacheTooLong'],
  ],
  [
    'cache that serves stale answers',
    dns(`${ROOT}clusterset.local {\n cache {\n serve_stale 1h\n }\n forward . ${ADDRESS}\n}`),
    ['ok Wired', 'warning CacheTooLong'],
  ],
  [
    'cache that keeps failures for a minute',
    dns(`${ROOT}clusterset.local {\n cache {\n servfail 1m\n }\n forward . ${ADDRESS}\n}`),
    ['ok Wired', 'warning CacheTooLong'],
  ],
  [
    'cache of another zone',
    dns(`. {\n cache 30 cluster.local {\n serve_stale\n }\n forward clusterset.local ${ADDRESS}\n}`),
    ['ok Wired'],
  ],
  ['a snippet', dns(`(ours) {\n forward . ${ADDRESS}\n}\n${ROOT}clusterset.local {\n import ours\n}`), ['ok Wired']],
  [
    'snippets that import each other',
    dns('(a) {\n import b\n}\n(b) {\n import a\n}\n. {\n import a\n}'),
    ['failed CorefileUnreadable'],
  ],
  [
    'coredns-custom that is imported',
    dns(`${ROOT}import /etc/coredns/custom/*.server\n`, {
      custom: configMap('coredns-custom', { 'clusterset.server': BLOCK }),
    }),
    ['ok Wired'],
  ],
  [
    'a key that the pattern leaves out',
    dns(`${ROOT}import /etc/coredns/custom/*.server\n`, {
      custom: configMap('coredns-custom', { 'clusterset.override': BLOCK }),
    }),
    ['failed NotWired'],
  ],
  [
    'coredns-custom that nothing imports',
    dns(ROOT, { custom: configMap('coredns-custom', { 'clusterset.server': BLOCK }) }),
    ['failed NotWired'],
  ],
  [
    'coredns-custom that cannot be read',
    dns(`${ROOT}import custom/*.server\n`, { custom: configMap('coredns-custom', { 'a.server': 'a {' }) }),
    ['failed CorefileUnreadable'],
  ],
  [
    'an override in the block of all',
    dns('. {\n import custom/*.override\n}', {
      custom: configMap('coredns-custom', { 'x.override': `forward clusterset.local ${ADDRESS}` }),
    }),
    ['ok Wired'],
  ],
  ['OpenShift without a server for it', operator(), ['failed NotWired']],
  ['OpenShift with one', operator([ADDRESS]), ['ok Wired']],
  ['OpenShift with an old address', operator(['10.96.9.9']), ['failed WiredElsewhere']],
  ['kube-dns without stub domains', kubeDns(), ['failed NotWired']],
  ['kube-dns with one', kubeDns(`{"clusterset.local": ["${ADDRESS}"]}`), ['ok Wired']],
  ['kube-dns with an old address', kubeDns('{"clusterset.local": ["10.96.9.9"]}'), ['failed WiredElsewhere']],
  ['kube-dns with what is no JSON', kubeDns('{'), ['failed NotWired']],
  ['no DNS that is known', { dns: { kind: 'unknown', why: 'nothing found' } }, ['warning ClusterDnsUnknown']],
  ['NodeLocal without a block', nodeLocal(NODE_LOCAL), ['ok Wired', 'failed NodeLocalNotWired']],
  ['NodeLocal with its own', nodeLocal(NODE_LOCAL + BLOCK), ['ok Wired', 'ok Wired']],
  [
    'NodeLocal by way of CoreDNS',
    nodeLocal(`${NODE_LOCAL}clusterset.local:53 {\n forward . __PILLAR__CLUSTER__DNS__\n}`),
    ['ok Wired', 'ok Wired'],
  ],
  [
    'NodeLocal by the address of CoreDNS',
    nodeLocal(`${NODE_LOCAL}clusterset.local:53 {\n forward . 10.96.0.10\n}`),
    ['ok Wired', 'ok Wired'],
  ],
  [
    'NodeLocal with an old address',
    nodeLocal(`${NODE_LOCAL}clusterset.local:53 {\n forward . 10.96.9.9\n}`),
    ['ok Wired', 'failed NodeLocalElsewhere'],
  ],
  [
    'NodeLocal by a stub domain',
    nodeLocal(NODE_LOCAL, `{"clusterset.local": ["${ADDRESS}"]}`),
    ['ok Wired', 'ok Wired'],
  ],
  ['NodeLocal that cannot be read', nodeLocal('. {'), ['ok Wired', 'failed CorefileUnreadable']],
  [
    'NodeLocal whose ConfigMap may not be read',
    { ...nodeLocal(''), nodeLocal: { configMap: { unread: '403' }, stubDomains: undefined } },
    ['ok Wired', 'failed CorefileUnreadable'],
  ],
  [
    'NodeLocal, and nodes that are no clients',
    { ...nodeLocal(NODE_LOCAL + BLOCK), nodeAddresses: ['203.0.113.7'] },
    ['ok Wired', 'ok Wired', 'failed ClientsNotAnswered'],
  ],
  [
    'CoreDNS that is no client',
    { settings: { zones: ['clusterset.local'], clients: ['127.0.0.0/8'], configMap: undefined } },
    ['ok Wired', 'failed ClientsNotAnswered'],
  ],
  [
    'pod ranges that are no clients, CoreDNS is one',
    { podRanges: ['10.244.0.0/24', '11.0.0.0/24'] },
    ['ok Wired', 'warning ClientsNotAnswered'],
  ],
  [
    'CoreDNS on the network of nodes',
    dns(ROOT + BLOCK, { askers: [{ name: 'pod a/b', address: '192.168.7.1', isOnHostNetwork: true }] }),
    ['ok Wired', 'failed ClientsNotAnswered'],
  ],
  [
    'a configuration that cannot be read',
    { settings: { unread: 'forbidden' } },
    ['ok Wired', 'warning ClientsUnknown'],
  ],
  [
    'two zones, one of them wired',
    { settings: { zones: ['clusterset.local', 'supercluster.local'], clients: ['10.0.0.0/8'], configMap: undefined } },
    ['failed NotWired', 'ok Wired'],
  ],
];

describe('judgeCluster', () => {
  for (const [title, part, expected] of ROWS) {
    it(`${title} → ${expected.join(', ')}`, () => assert.deepEqual(verdictsFor(part), expected));
  }

  it('whatever is wrong → says what mends it, and in text, JSON and YAML', () => {
    for (const [title, part] of ROWS) {
      const findings = findingsFor(part);
      for (const { result, fix } of findings) assert.equal(fix === undefined, result === 'ok', title);
      for (const { code } of findings) assert.ok(formatDnsFindings(findings, 'text').includes(code));
      assert.deepEqual(JSON.parse(formatDnsFindings(findings, 'json')), findings);
      assert.deepEqual(parse(formatDnsFindings(findings, 'yaml')), findings);
    }
  });

  it('a Corefile that cannot be read → its line, and no guess of what is missing', () => {
    const [finding] = findingsFor(dns('.:53 {\n errors\n'));
    assert.match(finding?.found ?? '', /line 1: its block has no "}"/);
    assert.equal(finding?.change, undefined);
  });

  it('clients that are missing → the configuration with them, and what else stands in it', () => {
    const settings = { zones: ['clusterset.local'], clients: ['127.0.0.0/8'], configMap: CONFIGURATION };
    const [, finding] = findingsFor({ settings, podRanges: ['10.244.0.0/24', '10.244.1.0/24'] });
    const { data } = parse(finding?.change?.text ?? '') as typeof CONFIGURATION;
    assert.match(data['peer.yaml'], /^# mine\ndns:\n {2}# narrow\n/);
    assert.deepEqual(parse(data['peer.yaml']), { dns: { clients: ['127.0.0.0/8', '10.244.0.0/24', '10.244.1.0/24'] } });
    assert.match(finding?.fix ?? '', /rollout restart deployment clusterlink-mcs-dns/);
  });

  it('two changes of one object → the first, and nothing but objects for a pipe', () => {
    const settings = { zones: ['clusterset.local', 'b.local'], clients: ['10.0.0.0/8'], configMap: undefined };
    const findings = findingsFor({ ...dns(`${ROOT}b.local {\n forward . 10.9.9.9\n}`), settings });
    assert.equal(findings.filter(({ change }) => change !== undefined).length, 2);
    assert.equal(changesOf(findings).length, 1);
    const object = parse(formatChanges(findings)) as { readonly data: { readonly Corefile: string } };
    assert.ok(object.data.Corefile.includes('clusterset.local:53 {'));
  });

  it('what comes from a Corefile → cannot move the cursor of a terminal', () => {
    const text = formatDnsFindings(
      findingsFor(dns(`${ROOT}clusterset.local {\n forward . 10.9.9.9\u001b[2J\n}`)),
      'text',
    );
    assert.ok(!text.includes('\u001b'));
  });

  it("kubeadm's own Corefile → is read, and has no way to the zone", () => {
    assert.deepEqual(verdictsFor(dns(KUBEADM_COREFILE)), ['failed NotWired']);
  });
});
