import assert from 'node:assert/strict';
import fc from 'fast-check';
import { KIND_NAMES } from '#src/api/kinds.ts';
import { describeObject } from '#src/api/object.ts';
import { DUPLICATE_KEYS_MAX, LIST_ITEMS_MAX, MANIFEST_VALUES_MAX } from '#src/store/directory/limits.ts';
import { parseManifestFile, type ManifestFile } from '#src/store/directory/manifest.ts';
import { MANIFEST_DEPTH_MAX, MANIFEST_DOCUMENTS_MAX } from '#src/store/limits.ts';

const parse = (text: string): ManifestFile => parseManifestFile({ path: 'a.yaml', text });
const lines = (...all: string[]): string => `${all.join('\n')}\n`;

/** Line 1: apiVersion, 2: kind, 3: metadata; the body begins on line 4. */
const doc = (apiVersion: string, kind: string, metadata: string, ...body: string[]): string =>
  lines(`apiVersion: ${apiVersion}`, `kind: ${kind}`, `metadata: {${metadata}}`, ...body);
const service = (...body: string[]): string => doc('v1', 'Service', 'name: db, namespace: shop', ...body);
const serviceOf = (metadata: string): string => doc('v1', 'Service', metadata, 'spec: {ports: [{port: 1}]}');
const ports = (...items: string[]): string => service('spec:', '  ports:', ...items.map((item) => `    - {${item}}`));
const endpoints = (text: string): string =>
  lines(
    'apiVersion: v1',
    'kind: Service',
    'metadata:',
    '  name: db',
    '  annotations:',
    `    mcs.clusterlink.net/endpoints: "${text}"`,
    'spec:',
    '  ports: [{name: pg, port: 1}, {name: web, port: 2}]',
  );
const serviceExport = (metadata: string, ...body: string[]): string =>
  doc('multicluster.x-k8s.io/v1beta1', 'ServiceExport', metadata, ...body);
const serviceImport = (...body: string[]): string =>
  doc('multicluster.x-k8s.io/v1beta1', 'ServiceImport', 'name: db', 'spec:', '  type: ClusterSetIP', ...body);
const peer = (metadata: string, ...body: string[]): string =>
  doc('clusterlink.net/v1alpha1', 'Peer', metadata, ...body);
const policy = (...body: string[]): string =>
  doc(
    'clusterlink.net/v1alpha1',
    'AccessPolicy',
    'name: x, namespace: shop',
    'spec:',
    ...body.map((line) => `  ${line}`),
  );
const rule = (...body: string[]): string =>
  doc('mcs.clusterlink.net/v1alpha1', 'ClusterImportRule', 'name: x', 'spec:', ...body.map((line) => `  ${line}`));
const namespacedRule = (...body: string[]): string =>
  doc('mcs.clusterlink.net/v1alpha1', 'ImportRule', 'name: x', 'spec:', ...body.map((line) => `  ${line}`));
const slice = (...body: string[]): string =>
  doc('discovery.k8s.io/v1', 'EndpointSlice', 'name: x, labels: {kubernetes.io/service-name: db}', ...body);
const PEERS = 'peers: {names: [east]}';
const EXPORTS = 'exports: {names: [db]}';
const INTO = 'into: {namespace: store}';
const ALL = '[{workloadSelector: {}}]';

describe('parseManifestFile', () => {
  const label = 'metadata.annotations["mcs.clusterlink.net/';
  const selector = 'spec.from[0].workloadSelector';
  const bad: [title: string, text: string, field: string | undefined, line: number, message: RegExp][] = [
    // Text.
    ['an open bracket', 'a: [1\n', undefined, 2, /is not YAML/],
    ['an open quote', 'a: 1\nb: "x\n', undefined, 3, /is not YAML/],
    ['a tab as indentation', 'a:\n\tb: 1\n', undefined, 2, /is not YAML/],
    ['a tag', 'a: !secret x\n', undefined, 1, /is not YAML.*!secret/],
    ['a key that is a list', '? [a]\n: b\n', undefined, 1, /is not YAML/],
    ['an alias of nothing', 'a: 1\nb: *x\n', 'b', 2, /alias "\*x" stands for nothing/],
    ['an alias in its own anchor', 'a: &x [*x]\n', 'a[0]', 1, /alias "\*x" stands for nothing/],
    ['a number without end', 'a:\n  b: .inf\n', 'a.b', 2, /JSON does not have/],
    ['a document that is a list', '- a\n', undefined, 1, /must be an object, is a list/],
    ['a document that is a text', 'hello\n', undefined, 1, /must be an object, is "hello"/],
    // Which object.
    ['no kind', 'apiVersion: v1\nmetadata: {name: x}\n', 'kind', 1, /is missing/],
    ['no apiVersion', '\nkind: Service\n', 'apiVersion', 2, /is missing/],
    ['a kind that is a number', 'apiVersion: v1\nkind: 7\n', 'kind', 2, /is missing, or is no text/],
    [
      'a slip in kind',
      doc('multicluster.x-k8s.io/v1beta1', 'ServiceExprot', 'name: x'),
      'kind',
      2,
      /did you mean "ServiceExport"/,
    ],
    ['a kind of another group', doc('v1', 'ServiceExport', 'name: x'), 'apiVersion', 1, /not a kind of group ""/],
    [
      'a slip in the group',
      doc('multiclsuter.x-k8s.io/v1beta1', 'ServiceExport', 'name: x'),
      'apiVersion',
      1,
      /did you mean "multicluster.x-k8s.io"/,
    ],
    [
      'a version that is not served',
      doc('multicluster.x-k8s.io/v1', 'ServiceExport', 'name: x'),
      'apiVersion',
      1,
      /not a version of ServiceExport/,
    ],
    ['an unknown kind of ours', doc('mcs.clusterlink.net/v1alpha1', 'Foo', 'name: x'), 'kind', 2, /unknown kind "Foo"/],
    [
      'an internal kind',
      doc(
        'mcs.clusterlink.net/v1alpha1',
        'PeerRecords',
        'name: x',
        'spec: {peer: x, epoch: x, digest: x, records: []}',
      ),
      undefined,
      1,
      /written by clusterlink-mcs alone/,
    ],
    ['no metadata', 'apiVersion: v1\nkind: Service\n', 'metadata', 1, /is missing|has no value/],
    ['no name', serviceOf('namespace: shop'), 'metadata.name', 3, /is missing/],
    ['a name in upper case', serviceOf('name: Db'), 'metadata.name', 3, /RFC 1123 label, is "Db"/],
    ['a Service with a dotted name', serviceOf('name: a.b'), 'metadata.name', 3, /RFC 1123 label/],
    ['a name of 64 characters', serviceExport(`name: ${'a'.repeat(64)}`), 'metadata.name', 3, /RFC 1123 label/],
    ['a name that is a number', serviceExport('name: 7'), 'metadata.name', 3, /must be text, is 7/],
    [
      'an illegal namespace',
      serviceExport('name: a, namespace: a.b'),
      'metadata.namespace',
      3,
      /RFC 1123 label, is "a.b"/,
    ],
    [
      'a namespace where there is none',
      doc(
        'mcs.clusterlink.net/v1alpha1',
        'ClusterImportRule',
        'name: x, namespace: y',
        'spec:',
        `  ${PEERS}`,
        `  ${EXPORTS}`,
        `  ${INTO}`,
      ),
      'metadata.namespace',
      3,
      /belongs to no namespace/,
    ],
    [
      'an illegal label key',
      serviceExport('name: a, labels: {"a b": c}'),
      'metadata.labels["a b"]',
      3,
      /key "a b" is not legal/,
    ],
    [
      'an illegal label value',
      serviceExport('name: a, labels: {a: b/c}'),
      'metadata.labels.a',
      3,
      /value "b\/c" is not legal/,
    ],
    [
      'a label that is a number',
      serviceExport('name: a, labels: {a: 1}'),
      'metadata.labels.a',
      3,
      /must be text, is 1/,
    ],
    [
      'an illegal annotation key',
      serviceExport('name: a, annotations: {a/b/c: d}'),
      'metadata.annotations["a/b/c"]',
      3,
      /2 slashes/,
    ],
    ['a stranger in metadata', serviceExport('name: a, label: {}'), 'metadata.label', 3, /did you mean "labels"/],
    // Annotations of ours.
    [
      'an unknown annotation of ours',
      serviceExport('name: a, annotations: {mcs.clusterlink.net/exports-to: b}'),
      `${label}exports-to"]`,
      3,
      /did you mean "mcs.clusterlink.net\/export-to"/,
    ],
    [
      'an annotation on another kind',
      serviceExport('name: a, annotations: {mcs.clusterlink.net/endpoints: "a:1"}'),
      `${label}endpoints"]`,
      3,
      /means nothing on a ServiceExport/,
    ],
    [
      'export-to: nobody',
      serviceExport('name: a, annotations: {mcs.clusterlink.net/export-to: ""}'),
      `${label}export-to"]`,
      3,
      /list of peer names, has ""/,
    ],
    [
      'export-to: a pattern',
      serviceExport('name: a, annotations: {mcs.clusterlink.net/export-to: "west, *"}'),
      `${label}export-to"]`,
      3,
      /has "\*"/,
    ],
    [
      'may-assert: a slip',
      peer('name: a, annotations: {mcs.clusterlink.net/may-assert: "label"}', 'spec: {gateways: []}'),
      `${label}may-assert"]`,
      3,
      /did you mean "labels"/,
    ],
    ['endpoints: no port', endpoints('pg=127.0.0.1'), `${label}endpoints"]`, 6, /not host:port/],
    [
      'endpoints: a port that the Service lacks',
      endpoints('pgs=127.0.0.1:1'),
      `${label}endpoints"]`,
      6,
      /for port "pgs", which the Service lacks; it has "pg", "web"/,
    ],
    ['endpoints: which of two ports?', endpoints('127.0.0.1:1'), `${label}endpoints"]`, 6, /does not say which port/],
    // Services.
    ['port 0', ports('port: 0'), 'spec.ports[0].port', 6, /between 1 and 65535, is 0/],
    ['port 70000', ports('port: 1', 'name: b, port: 70000'), 'spec.ports[0].name', 6, /needed where there are several/],
    ['port as text', ports('port: "80"'), 'spec.ports[0].port', 6, /is the text "80"/],
    ['no port', ports('name: a'), 'spec.ports[0].port', 6, /is missing/],
    [
      'a name twice',
      ports('name: a, port: 1', 'name: a, port: 2'),
      'spec.ports[1].name',
      7,
      /"a" is the name of ports\[0\] already/,
    ],
    [
      'a number twice',
      ports('name: a, port: 1', 'name: b, port: 1, protocol: TCP'),
      'spec.ports[1].port',
      7,
      /TCP 1 is ports\[0\] already/,
    ],
    [
      'an unknown protocol',
      ports('port: 1, protocol: HTTP'),
      'spec.ports[0].protocol',
      6,
      /one of "TCP", "UDP", "SCTP"/,
    ],
    ['a port name in upper case', ports('name: Pg, port: 1'), 'spec.ports[0].name', 6, /RFC 1123 label, is "Pg"/],
    ['targetPort 0', ports('port: 1, targetPort: 0'), 'spec.ports[0].targetPort', 6, /between 1 and 65535 or the name/],
    ['a slip in spec', service('spec:', '  prots: []'), 'spec.prots', 5, /did you mean "ports"/],
    [
      'a key twice',
      service('spec:', '  type: ClusterIP', '  type: NodePort'),
      'spec.type',
      6,
      /"type" stands here a second time/,
    ],
    ['kind twice', service('kind: Service'), 'kind', 4, /"kind" stands here a second time/],
    ['a field without value', service('spec:', '  selector:'), 'spec.selector', 5, /has no value/],
    ['clusterIP none', service('spec:', '  clusterIP: none'), 'spec.clusterIP', 5, /"None" or an IP address/],
    ['a misspelt spec', service('sepc: {}'), 'sepc', 4, /did you mean "spec"/],
    // ServiceExport, ServiceImport.
    [
      'an illegal exported label',
      serviceExport('name: a', 'spec: {exportedLabels: {a: "b c"}}'),
      'spec.exportedLabels.a',
      4,
      /not legal for a label/,
    ],
    ['an import without ports', serviceImport(), 'spec.ports', 4, /is missing/],
    [
      'port 0 of an import',
      serviceImport('  ports: [{port: 0}]'),
      'spec.ports[0].port',
      6,
      /between 1 and 65535, is 0/,
    ],
    [
      'port 70000 of an import',
      serviceImport('  ports: [{port: 70000}]'),
      'spec.ports[0].port',
      6,
      /between 1 and 65535, is 70000/,
    ],
    [
      'an unknown protocol of an import',
      serviceImport('  ports: [{port: 1, protocol: tcp}]'),
      'spec.ports[0].protocol',
      6,
      /must be one of TCP, UDP, SCTP/,
    ],
    ['an IP that is none', serviceImport('  ports: []', '  ips: [10.0.0]'), 'spec.ips[0]', 7, /must be an IP address/],
    // Peers.
    [
      'a Peer elsewhere',
      peer('name: a, namespace: shop', 'spec: {gateways: []}'),
      'metadata.namespace',
      3,
      /counts in namespace clusterlink-system only/,
    ],
    ['a dotted Peer', peer('name: a.b', 'spec: {gateways: []}'), 'metadata.name', 3, /RFC 1123 label/],
    ['no gateways', peer('name: a', 'spec: {}'), 'spec.gateways', 4, /is missing/],
    [
      'an empty host',
      peer('name: a', 'spec: {gateways: [{host: "", port: 1}]}'),
      'spec.gateways[0].host',
      4,
      /is empty/,
    ],
    [
      'a URL as host',
      peer('name: a', 'spec:', '  gateways:', '    - host: https://a', '      port: 443'),
      'spec.gateways[0].host',
      6,
      /must be a DNS name or an IP address/,
    ],
    [
      'a port in the host',
      peer('name: a', 'spec:', '  gateways:', '    - host: a:443', '      port: 443'),
      'spec.gateways[0].host',
      6,
      /must be a DNS name or an IP address/,
    ],
    [
      'a gateway at port 0',
      peer('name: a', 'spec:', '  gateways:', '    - host: a', '      port: 0'),
      'spec.gateways[0].port',
      7,
      /between 1 and 65535/,
    ],
    // Policies.
    [
      'an action in upper case',
      policy('action: Deny', `from: ${ALL}`, `to: ${ALL}`),
      'spec.action',
      5,
      /did you mean "deny"/,
    ],
    ['from nobody', policy('action: allow', 'from: []', `to: ${ALL}`), 'spec.from', 6, /selects no client/],
    [
      'a slip in a selector',
      policy('action: allow', 'from: [{workloadSelector: {matchLabel: {}}}]', `to: ${ALL}`),
      `${selector}.matchLabel`,
      6,
      /did you mean "matchLabels"/,
    ],
    [
      'an operator in lower case',
      policy(
        'action: deny',
        'from:',
        '  - workloadSelector:',
        '      matchExpressions:',
        '        - key: peer.clusterlink.net/name',
        '          operator: in',
        '          values: [a]',
        `to: ${ALL}`,
      ),
      `${selector}.matchExpressions[0].operator`,
      10,
      /did you mean "In"/,
    ],
    [
      'a prefixed label',
      policy(
        'action: deny',
        'from:',
        '  - workloadSelector:',
        '      matchLabels: {client.clusterlink.net/labels.app.kubernetes.io/name: a}',
        `to: ${ALL}`,
      ),
      `${selector}.matchLabels["client.clusterlink.net/labels.app.kubernetes.io/name"]`,
      8,
      /cannot be selected/,
    ],
    // Rules.
    [
      'peers: two ways',
      rule('peers: {names: [east], all: true}', EXPORTS, INTO),
      'spec.peers',
      5,
      /exactly one of names, selector and all, has names and all/,
    ],
    ['peers: no way', rule('peers: {}', EXPORTS, INTO), 'spec.peers', 5, /exactly one.*has none/],
    [
      'peers: an illegal name',
      rule('peers: {names: [East]}', EXPORTS, INTO),
      'spec.peers.names[0]',
      5,
      /the name of a peer, is "East"/,
    ],
    ['exports: nothing', rule(PEERS, 'exports: {}', INTO), 'spec.exports', 6, /selects nothing/],
    [
      'exports: all and more',
      rule(PEERS, 'exports: {all: true, names: [db]}', INTO),
      'spec.exports.all',
      6,
      /stands alone, but there is names/,
    ],
    [
      'exports: a pattern',
      rule(PEERS, 'exports: {names: ["*"]}', INTO),
      'spec.exports.names[0]',
      6,
      /the name of an export, is "\*"/,
    ],
    [
      'exports: an operator',
      rule(PEERS, 'exports: {selector: {matchExpressions: [{key: a, operator: In}]}}', INTO),
      'spec.exports.selector.matchExpressions[0].values',
      6,
      /needs values/,
    ],
    ['into: missing', rule(PEERS, EXPORTS), 'spec.into', 4, /is missing/],
    [
      'into: both',
      rule(PEERS, EXPORTS, 'into: {namespace: a, sameNamespace: true}'),
      'spec.into',
      7,
      /exactly one of namespace and sameNamespace/,
    ],
    ['into: neither', rule(PEERS, EXPORTS, 'into: {sameNamespace: false}'), 'spec.into', 7, /has none/],
    [
      'into: an illegal namespace',
      rule(PEERS, EXPORTS, 'into: {namespace: A}'),
      'spec.into.namespace',
      7,
      /name of a namespace, is "A"/,
    ],
    [
      'into: an unknown placeholder',
      rule(PEERS, EXPORTS, 'into: {namespace: a, name: "{nam}"}'),
      'spec.into.name',
      7,
      /unknown placeholder "\{nam\}", did you mean "\{name\}"/,
    ],
    [
      'into: an illegal template',
      rule(PEERS, EXPORTS, 'into: {namespace: a, name: "{name}.x"}'),
      'spec.into.name',
      7,
      /must make a name/,
    ],
    [
      'into: a template with an open brace',
      rule(PEERS, EXPORTS, 'into: {namespace: a, name: "{name"}'),
      'spec.into.name',
      7,
      /must make a name/,
    ],
    [
      'a namespaced rule with into.namespace',
      namespacedRule(PEERS, EXPORTS, INTO),
      'spec.into.namespace',
      7,
      /unknown field "namespace"/,
    ],
    [
      'an unknown scheme',
      namespacedRule(PEERS, EXPORTS, 'loadBalancing: {scheme: roundrobin}'),
      'spec.loadBalancing.scheme',
      7,
      /one of "RoundRobin", "Random", "Static" and "LeastLatency"|one of .*did you mean "RoundRobin"/,
    ],
    [
      'a peer to balance that the rule does not select',
      namespacedRule(PEERS, EXPORTS, 'loadBalancing: {peers: [{name: east}, {name: esat}]}'),
      'spec.loadBalancing.peers[1].name',
      7,
      /selects no peer "esat", did you mean "east"\?/,
    ],
    [
      'a weight below 0',
      namespacedRule(PEERS, EXPORTS, 'loadBalancing: {peers: [{name: east, weight: -1}]}'),
      'spec.loadBalancing.peers[0].weight',
      7,
      /must be a number between 0 and 1000/,
    ],
    [
      'a prefix with a star',
      namespacedRule(PEERS, EXPORTS, 'metadata: {allow: ["a/*"]}'),
      'spec.metadata.allow[0]',
      7,
      /no key begins with "a\/\*"/,
    ],
    // EndpointSlices.
    [
      'an address of another type',
      slice('addressType: IPv4', 'endpoints: [{addresses: ["::1"]}]'),
      'endpoints[0].addresses[0]',
      5,
      /must be an IPv4 address/,
    ],
    [
      'an illegal host name',
      slice('addressType: IPv4', 'endpoints: [{addresses: [10.0.0.1], hostname: a.b}]'),
      'endpoints[0].hostname',
      5,
      /RFC 1123 label/,
    ],
    [
      'a slice port twice',
      slice('addressType: IPv6', 'endpoints: []', 'ports: [{port: 1}, {port: 2}]'),
      'ports[1].name',
      6,
      /the name of ports\[0\] already/,
    ],
    [
      'an unknown address type',
      slice('addressType: IPv5', 'endpoints: []'),
      'addressType',
      4,
      /one of "IPv4", "IPv6", "FQDN"/,
    ],
    // Lists.
    ['a List without items', 'apiVersion: v1\nkind: List\n', 'items', 1, /must be a list, is absent/],
    [
      'a List in a List',
      'apiVersion: v1\nkind: List\nitems:\n  - {apiVersion: v1, kind: List, items: []}\n',
      'items[0]',
      4,
      /a List inside a List/,
    ],
    [
      'an item that is wrong',
      'apiVersion: v1\nkind: List\nitems:\n  - apiVersion: v1\n    kind: Service\n    metadata: {name: db}\n    spec: {ports: [{port: 0}]}\n',
      'spec.ports[0].port',
      7,
      /is 0/,
    ],
  ];
  for (const [title, text, field, line, message] of bad) {
    it(`${title} → error at ${field ?? 'the document'}, line ${line}`, () => {
      const { problems } = parse(text);
      const found = problems.find((problem) => problem.field === field && problem.severity === 'error');
      assert.ok(found, JSON.stringify(problems));
      assert.deepEqual([found.file, found.line], ['a.yaml', line]);
      assert.ok(found.column >= 1);
      assert.match(found.message, message);
      assert.ok(found.fix !== '');
    });
  }

  it(`bad rows → at least 60`, () => assert.ok(bad.length >= 60));

  it('only policies with problems in their spec are taken all the same', () => {
    for (const [title, text] of bad) {
      const { objects } = parse(text);
      assert.deepEqual(objects.length, /^kind: AccessPolicy$/m.test(text) ? 1 : 0, title);
    }
  });

  it('a refused document → rejected where its object is known, else the file is incomplete', () => {
    for (const [title, text] of bad) {
      const { objects, rejected, complete, problems } = parse(text);
      if (objects.length > 0) continue;
      assert.ok(rejected.length > 0 || !complete, title);
      if (!complete)
        assert.ok(
          problems.some(({ object, severity }) => object === undefined && severity === 'error'),
          title,
        );
    }
  });

  const warned: [title: string, text: string, field: string, message: RegExp, taken: number][] = [
    [
      'a kind of somebody else',
      doc('apps/v1', 'Deployment', 'name: x'),
      'kind',
      /"Deployment" of "apps" is not one that clusterlink-mcs reads/,
      0,
    ],
    ['a core kind', doc('v1', 'Pod', 'name: x'), 'kind', /kind "Pod" is not one/, 0],
    [
      'a Service of Knative',
      doc('serving.knative.dev/v1', 'Service', 'name: x'),
      'kind',
      /not one that clusterlink-mcs reads/,
      0,
    ],
    ['a Cluster of Cluster API', doc('cluster.x-k8s.io/v1beta1', 'Cluster', 'name: x'), 'kind', /not one/, 0],
    [
      'an Instance of ClusterLink',
      doc('clusterlink.net/v1alpha1', 'Instance', 'name: x', 'spec: {}'),
      'kind',
      /"Instance" of "clusterlink.net" is not one/,
      0,
    ],
    ['a status', ports('port: 1').concat('status: {loadBalancer: {ingress: []}}\n'), 'status', /it is ignored/, 1],
    ['an import of a user', serviceImport('  ports: []'), 'kind', /rules of mode Requested alone/, 1],
    [
      'a slice of no Service',
      doc('discovery.k8s.io/v1', 'EndpointSlice', 'name: x', 'addressType: IPv4', 'endpoints: []'),
      'metadata.labels["kubernetes.io/service-name"]',
      /belong to no Service/,
      1,
    ],
    ['a Service without ports', service('spec: {}'), 'spec.ports', /there is no port/, 1],
    [
      'a policy on an unknown attribute',
      policy('action: allow', 'from: [{workloadSelector: {matchLabels: {app: a}}}]', `to: ${ALL}`),
      `${selector}.matchLabels.app`,
      /no client has an attribute "app"/,
      1,
    ],
  ];
  for (const [title, text, field, message, taken] of warned) {
    it(`${title} → a warning at ${field}, ${taken} objects, complete`, () => {
      const { problems, objects, rejected, complete } = parse(text);
      assert.deepEqual(
        problems.map((problem) => [problem.severity, problem.field]),
        [['warning', field]],
      );
      assert.match(problems[0]?.message ?? '', message);
      assert.ok(problems[0]?.fix && problems[0].object);
      assert.deepEqual([objects.length, rejected.length, complete], [taken, 0, true]);
    });
  }

  it('ClusterLink’s sample manifests → all pass unchanged', () => {
    const { objects, problems, complete } = parse(clusterlinkSamples);
    assert.deepEqual(
      objects.map(({ object }) => describeObject(object)),
      [
        'Peer clusterlink-system/west',
        'Export prod/cart-api',
        'Import shop/cart',
        'AccessPolicy shop/ui-to-cart',
        'PrivilegedAccessPolicy no-testing',
      ],
    );
    assert.deepEqual(
      problems.map(({ object, severity }) => [object, severity]),
      [],
    );
    assert.equal(complete, true);
    assert.deepEqual(objects[0]?.object, {
      apiVersion: 'clusterlink.net/v1alpha1',
      kind: 'Peer',
      metadata: { name: 'west', namespace: 'clusterlink-system' },
      spec: {
        gateways: [
          { host: '192.0.2.10', port: 443 },
          { host: 'gw2.west.example', port: 30443 },
        ],
      },
    });
  });

  it('what a server printed → the stored version, without what only a server writes', () => {
    const text = doc(
      'multicluster.x-k8s.io/v1alpha1',
      'ServiceExport',
      'name: db, uid: u, resourceVersion: "7", generation: 2, creationTimestamp: null, managedFields: [{}], selfLink: x, labels:',
      'spec:',
      'status: {}',
    );
    assert.deepEqual(parse(text), {
      objects: [
        {
          object: {
            apiVersion: 'multicluster.x-k8s.io/v1beta1',
            kind: 'ServiceExport',
            metadata: { name: 'db', namespace: 'default' },
          },
          kind: 'ServiceExport',
          file: 'a.yaml',
          line: 1,
        },
      ],
      problems: [],
      rejected: [],
      complete: true,
    });
  });

  it('namespaces → default, clusterlink-system for a Peer, none for cluster-scoped kinds', () => {
    const text = [serviceExport('name: a'), peer('name: b', 'spec: {gateways: []}'), rule(PEERS, EXPORTS, INTO)].join(
      '---\n',
    );
    const names = parse(text).objects.map(({ object, line }) => [describeObject(object), line]);
    assert.deepEqual(names, [
      ['ServiceExport default/a', 1],
      ['Peer clusterlink-system/b', 5],
      ['ClusterImportRule x', 10],
    ]);
  });

  it('good documents around bad ones → all taken, each problem at its line of the file', () => {
    const text = [
      ports('port: 1'),
      'a: [1\n',
      serviceExport('name: a'),
      ports('port: 0'),
      serviceExport('name: b'),
    ].join('---\n');
    const { objects, problems, rejected, complete } = parse(text);
    assert.deepEqual(
      objects.map(({ object }) => describeObject(object)),
      ['Service shop/db', 'ServiceExport default/a', 'ServiceExport default/b'],
    );
    assert.deepEqual(
      problems.map(({ line, object }) => [line, object]),
      [
        [9, undefined],
        [19, 'Service shop/db'],
      ],
    );
    assert.deepEqual(rejected, [{ kind: 'Service', key: { namespace: 'shop', name: 'db' } }]);
    assert.equal(complete, false);
  });

  it('a syntax error in the last document → the ones before it stay', () => {
    const { objects, complete } = parse(`${serviceExport('name: a')}---\nb: "x\n`);
    assert.deepEqual([objects.length, complete], [1, false]);
  });

  it('a slip in the kind → the object that was meant is rejected, and the file incomplete', () => {
    const { rejected, complete } = parse(doc('clusterlink.net/v1alpha1', 'Pear', 'name: a'));
    assert.deepEqual(
      [rejected, complete],
      [[{ kind: 'Peer', key: { namespace: 'clusterlink-system', name: 'a' } }], false],
    );
  });

  it('a List of some kind, JSON → its items, with lines', () => {
    const item = { apiVersion: 'multicluster.x-k8s.io/v1beta1', kind: 'ServiceExport', metadata: { name: 'a' } };
    const list = {
      apiVersion: 'multicluster.x-k8s.io/v1beta1',
      kind: 'ServiceExportList',
      metadata: {},
      items: [item, { ...item, metadata: { name: 'b' } }],
    };
    const { objects, problems } = parse(JSON.stringify(list, null, '\t'));
    assert.deepEqual(
      objects.map(({ object, line }) => [object.metadata?.name, line]),
      [
        ['a', 6],
        ['b', 13],
      ],
    );
    assert.deepEqual(problems, []);
  });

  it('nothing, comments, empty documents → nothing, complete', () => {
    for (const text of ['', '# x\n', '---\n---\n', '\uFEFF', '--- # x\n...\n']) {
      assert.deepEqual(parse(text), { objects: [], problems: [], rejected: [], complete: true }, JSON.stringify(text));
    }
  });

  it('a %YAML 1.1 directive → the same schema: no dates, no binary, yes is a text', () => {
    const text = `%YAML 1.1\n---\n${serviceExport('name: a, labels: {a: yes, b: 2026-01-01}')}`;
    assert.deepEqual(parse(text).objects[0]?.object.metadata?.labels, { a: 'yes', b: '2026-01-01' });
  });

  it('aliases → copies; those that multiply → refused within the bound', () => {
    const text = serviceExport('name: a', 'spec: {exportedLabels: &x {a: b}, exportedAnnotations: *x}');
    assert.deepEqual(parse(text).objects[0]?.object, {
      apiVersion: 'multicluster.x-k8s.io/v1beta1',
      kind: 'ServiceExport',
      metadata: { namespace: 'default', name: 'a' },
      spec: { exportedLabels: { a: 'b' }, exportedAnnotations: { a: 'b' } },
    });
    const nine = (name: string): string => `[${Array.from({ length: 9 }, () => `*${name}`).join(',')}]`;
    const bomb = lines(
      'a: &a [x,x,x,x,x,x,x,x,x]',
      ...['b', 'c', 'd', 'e', 'f', 'g'].map((name, index) => `${name}: &${name} ${nine('abcdef'.charAt(index))}`),
    );
    const { problems, complete } = parse(bomb);
    assert.match(problems[0]?.message ?? '', new RegExp(`more than ${MANIFEST_VALUES_MAX} values`));
    assert.equal(complete, false);
  });

  it('nesting at the bound → read; beyond it, and far beyond → one problem, no overflow', () => {
    const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}\n`;
    assert.match(parse(nested(MANIFEST_DEPTH_MAX)).problems[0]?.message ?? '', /must be an object/);
    for (const text of [
      nested(MANIFEST_DEPTH_MAX + 2),
      '['.repeat(50_000),
      '? '.repeat(20_000),
      '{a: '.repeat(20_000),
      '- '.repeat(20_000),
    ]) {
      const { problems, complete } = parse(text);
      assert.equal(complete, false);
      assert.match(problems[0]?.message ?? '', /nested more than 64 levels/);
    }
  });

  it('keys that stand twice → each told up to the bound; beyond it the document is not read', () => {
    const twice = (count: number): ManifestFile =>
      parse(
        lines(
          ...serviceExport('name: a').trimEnd().split('\n'),
          'spec:',
          ...Array.from({ length: count + 1 }, () => '  a: b'),
        ),
      );
    assert.deepEqual(twice(DUPLICATE_KEYS_MAX).rejected, [
      { kind: 'ServiceExport', key: { namespace: 'default', name: 'a' } },
    ]);
    const { rejected, problems, complete } = twice(DUPLICATE_KEYS_MAX + 1);
    assert.deepEqual([rejected, problems.length, complete], [[], DUPLICATE_KEYS_MAX + 1, false]);
  });

  it('a map of very many keys → linear time', () => {
    const keys = Array.from({ length: 20_000 }, (_, index) => `  k${index}: v`);
    const { objects } = parse(
      lines(
        'apiVersion: multicluster.x-k8s.io/v1beta1',
        'kind: ServiceExport',
        'metadata: {name: a}',
        'spec:',
        ' exportedAnnotations:',
        ...keys,
      ),
    );
    assert.equal(objects.length, 1);
  });

  it('documents, items → up to the bound; one more is told', () => {
    const many = (count: number): string =>
      Array.from({ length: count }, (_, index) => serviceExport(`name: a${index}`)).join('---\n');
    assert.deepEqual(
      [parse(many(MANIFEST_DOCUMENTS_MAX)).objects.length, parse(many(MANIFEST_DOCUMENTS_MAX)).complete],
      [MANIFEST_DOCUMENTS_MAX, true],
    );
    const { objects, problems, complete } = parse(many(MANIFEST_DOCUMENTS_MAX + 1));
    assert.deepEqual([objects.length, complete], [MANIFEST_DOCUMENTS_MAX, false]);
    assert.match(problems[0]?.message ?? '', /more than 1000 documents/);
    const list = (count: number): string =>
      JSON.stringify({ apiVersion: 'v1', kind: 'List', items: Array.from({ length: count }, () => ({})) });
    assert.equal(parse(list(LIST_ITEMS_MAX + 1)).problems[0]?.field, 'items');
    assert.equal(parse(list(LIST_ITEMS_MAX)).problems.length, LIST_ITEMS_MAX);
  });

  it('foreign text in messages → escaped and short', () => {
    const text = JSON.stringify({
      apiVersion: 'x/\u001B[31m',
      kind: `K\n${'k'.repeat(5000)}`,
      metadata: { name: '\u202E' },
    });
    const [problem] = parse(text).problems;
    assert.doesNotMatch(JSON.stringify(problem), /\\u001b|\\n|\u202E/i);
    assert.ok((problem?.message.length ?? 0) < 250 && (problem?.object?.length ?? 0) <= 120);
  });

  describe('any input', () => {
    const check = (text: string): void => {
      const { objects, problems, complete } = parse(text);
      const lineCount = text.split(/\r\n|\n|\r/).length;
      for (const { line, column, message, fix, field = '', object = '' } of problems) {
        assert.ok(line >= 1 && line <= lineCount && column >= 1, `${line}:${column}`);
        assert.ok(message !== '' && fix !== '');
        assert.doesNotMatch(message + fix + field + object, /[\p{Cc}\p{Cf}\u2028\u2029]/u);
      }
      for (const { object, line } of objects) assert.ok(object.metadata?.name && line <= lineCount);
      if (!complete) assert.ok(problems.some(({ severity }) => severity === 'error'));
    };
    const pieces = fc.constantFrom(
      'apiVersion: v1\n',
      'kind: Service\n',
      'metadata: {name: a}\n',
      '---\n',
      '...\n',
      '- ',
      '? ',
      ': ',
      '{',
      '}',
      '[',
      ']',
      ',',
      '"',
      "'",
      '|\n',
      '>\n',
      '&a ',
      '*a ',
      '!!str ',
      '!x ',
      '%YAML 1.1\n',
      '<<: ',
      '\t',
      '  ',
      '\n',
      '\r\n',
      '# x\n',
      '\u0000',
      'null',
      '~',
      '.nan',
      '0x1F',
      'items:\n',
    );

    it('text made of YAML’s pieces → never throws', () =>
      fc.assert(
        fc.property(
          fc.array(pieces).map((all) => all.join('')),
          check,
        ),
        { numRuns: 500 },
      ));
    it('any text → never throws', () => fc.assert(fc.property(fc.string({ unit: 'binary' }), check), { numRuns: 300 }));
    it('any JSON as any kind → never throws', () => {
      const object = fc.record(
        {
          apiVersion: fc.constantFrom(
            'v1',
            'multicluster.x-k8s.io/v1beta1',
            'clusterlink.net/v1alpha1',
            'mcs.clusterlink.net/v1alpha1',
            'discovery.k8s.io/v1',
            '',
          ),
          kind: fc.constantFrom(...KIND_NAMES, 'List', 'ServiceList', 'x'),
          metadata: fc.oneof(fc.constant({ name: 'a' }), fc.jsonValue()),
          spec: fc.jsonValue(),
          items: fc.jsonValue(),
        },
        { requiredKeys: [] },
      );
      fc.assert(
        fc.property(object, (value) => check(JSON.stringify(value))),
        { numRuns: 300 },
      );
    });
  });
});

const clusterlinkSamples = `apiVersion: clusterlink.net/v1alpha1
kind: Peer
metadata: {name: west, namespace: clusterlink-system}
spec: {gateways: [{host: 192.0.2.10, port: 443}, {host: gw2.west.example, port: 30443}]}
---
apiVersion: clusterlink.net/v1alpha1
kind: Export
metadata: {name: cart-api, namespace: prod, labels: {tier: gold}}
spec: {port: 8080}
---
apiVersion: clusterlink.net/v1alpha1
kind: Import
metadata: {name: cart, namespace: shop, labels: {import.clusterlink.net/merge: "false"}}
spec:
  port: 80
  lbScheme: static
  sources:
  - {peer: west, exportName: cart-api, exportNamespace: prod}
---
apiVersion: clusterlink.net/v1alpha1
kind: AccessPolicy
metadata: {name: ui-to-cart, namespace: shop}
spec:
  action: allow
  from: [{workloadSelector: {matchLabels: {client.clusterlink.net/service-account: front}}}]
  to: [{workloadSelector: {matchExpressions: [{key: export.clusterlink.net/name, operator: In, values: [cart-api]}]}}]
---
apiVersion: clusterlink.net/v1alpha1
kind: PrivilegedAccessPolicy
metadata: {name: no-testing}
spec:
  action: deny
  from: [{workloadSelector: {matchLabels: {peer.clusterlink.net/name: testing}}}]
  to: [{workloadSelector: {}}]
`;
