/** `check dns` on a real API server: every finding in a cluster that is made so, and gone when what was printed is applied. */
import assert from 'node:assert/strict';
import { parse, parseAllDocuments } from 'yaml';
import { startApiServer, type ApiServer } from '#test/support/api-server/api-server.ts';
import { createNamespace, readManifests } from '#test/support/api-server/manifests.ts';
import type { Manifest } from '#test/support/api-server/rest.ts';
import { runCheckDns, verdictsOf, type Outcome } from '#test/support/check-dns.ts';
import { waitFor } from '#test/support/wait.ts';

const SYSTEM = 'clusterlink-system';
const DNS = 'kube-system';
const ROOT = '.:53 {\n    errors\n    forward . /etc/resolv.conf\n}\n';

describe('check dns of a cluster', function () {
  this.timeout(180_000);
  let server: ApiServer;
  let address = '';

  before(async () => {
    server = await startApiServer();
    await createNamespace(server.admin, SYSTEM);
    const base = await readManifests(['manifests/base/dns.yaml', 'manifests/base/configuration.yaml']);
    for (const object of base.filter(({ kind }) => kind === 'Service' || kind === 'ConfigMap')) await apply(object);
    const { body } = await server.admin.request<{ spec: { clusterIP: string } }>(
      'GET',
      `/api/v1/namespaces/${SYSTEM}/services/clusterlink-mcs-dns`,
    );
    address = body.spec.clusterIP;
    await setEndpoints(true);
    await setCorefile(ROOT);
    await apply(pod('coredns-1', '10.244.0.2'));
    await status(pod('coredns-1', '10.244.0.2'), { podIP: '10.244.0.2', phase: 'Running' });
  });
  after(() => server.close());

  async function apply(object: Manifest): Promise<void> {
    const { status: code, body } = await server.admin.apply(object);
    assert.ok(code < 300, JSON.stringify(body));
  }
  async function status(object: Manifest, value: unknown): Promise<void> {
    const { status: code, body } = await server.admin.apply({ ...object, status: value }, { subresource: 'status' });
    assert.ok(code < 300, JSON.stringify(body));
  }
  async function remove(object: Pick<Manifest, 'apiVersion' | 'kind' | 'metadata'>): Promise<void> {
    await server.admin.request('DELETE', await server.admin.pathOf(object));
  }
  const configMap = (name: string, data: Readonly<Record<string, string>>): Manifest => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { namespace: DNS, name },
    data,
  });
  const setCorefile = (text: string): Promise<void> => apply(configMap('coredns', { Corefile: text }));
  const wired = (): string => `${ROOT}clusterset.local {\n    forward . ${address}\n}\n`;
  function setEndpoints(ready: boolean): Promise<void> {
    return apply({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        namespace: SYSTEM,
        name: 'clusterlink-mcs-dns-1',
        labels: { 'kubernetes.io/service-name': 'clusterlink-mcs-dns' },
      },
      addressType: 'IPv4',
      ports: [{ name: 'dns', protocol: 'UDP', port: 5353 }],
      endpoints: [{ addresses: ['10.244.0.3'], conditions: { ready } }],
    });
  }

  const check = (...words: readonly string[]): Promise<Outcome> =>
    runCheckDns('--kubeconfig', server.kubeconfig, ...words);
  async function verdictsNow(): Promise<string[]> {
    return verdictsOf((await check('-o', 'json')).out);
  }
  /** A user who may read everything, and ask nothing about the rights of others. */
  async function makeReader(): Promise<string> {
    const rbac = 'rbac.authorization.k8s.io';
    const rules = [{ apiGroups: ['*'], resources: ['*'], verbs: ['get', 'list'] }];
    await apply({ apiVersion: `${rbac}/v1`, kind: 'ClusterRole', metadata: { name: 'reader' }, rules });
    const roleRef = { apiGroup: rbac, kind: 'ClusterRole', name: 'reader' };
    const subjects = [{ apiGroup: rbac, kind: 'User', name: 'reader' }];
    await apply({
      apiVersion: `${rbac}/v1`,
      kind: 'ClusterRoleBinding',
      metadata: { name: 'reader' },
      roleRef,
      subjects,
    });
    return server.kubeconfigFor('reader');
  }
  /** What `--changes` prints, through server-side apply as kubectl does it. */
  async function applyChanges(): Promise<readonly Manifest[]> {
    const { out } = await check('--changes');
    const objects = parseAllDocuments(out).map((document) => document.toJS() as Manifest);
    for (const object of objects) await apply(object);
    return objects;
  }

  it('CoreDNS without the zone → failed with the whole ConfigMap; that applied → wired, exit code 0', async () => {
    const { exitCode, out, err } = await check();
    assert.equal(exitCode, 1);
    assert.match(out, /^failed +NotWired +zone clusterset\.local +ConfigMap kube-system\/coredns /m);
    assert.match(out, new RegExp(`forward \\. ${address} `));
    assert.match(err, /1 failed/);
    const [object] = await applyChanges();
    assert.ok((object?.['data'] as { Corefile: string }).Corefile.startsWith(ROOT));
    const mended = await check();
    assert.equal(mended.exitCode, 0, mended.out);
    assert.match(mended.out, /^ok +Wired +zone clusterset\.local +forwarded to /m);
  });

  it('no ready endpoint → failed, until there is one', async () => {
    await setCorefile(wired());
    await setEndpoints(false);
    assert.deepEqual(await verdictsNow(), ['failed NoReadyEndpoint', 'ok Wired']);
    await setEndpoints(true);
    assert.deepEqual(await verdictsNow(), ['ok Wired']);
  });

  it('the Service made anew at another address → wired elsewhere; applied → wired', async () => {
    const service = { apiVersion: 'v1', kind: 'Service', metadata: { namespace: SYSTEM, name: 'clusterlink-mcs-dns' } };
    const [old] = await readManifests(['manifests/base/dns.yaml']).then((all) =>
      all.filter(({ kind }) => kind === 'Service'),
    );
    await setCorefile(wired());
    await remove(service);
    await apply({ ...(old as Manifest), spec: { ...(old?.['spec'] as object), clusterIP: '10.96.200.53' } });
    const { exitCode, out } = await check();
    assert.equal(exitCode, 1);
    assert.match(out, new RegExp(`^failed +WiredElsewhere .*forwarded to ${address} .*coredns line \\d+`, 'm'));
    await applyChanges();
    address = '10.96.200.53';
    assert.deepEqual(await verdictsNow(), ['ok Wired']);
  });

  it('a Service with a fixed address, coredns/dns-service.yaml → as good', async () => {
    const [fixed] = await readManifests(['coredns/dns-service.yaml']);
    await apply({ ...(fixed as Manifest), spec: { ...(fixed?.['spec'] as object), clusterIP: '10.96.0.77' } });
    await setCorefile(`${ROOT}clusterset.local {\n    forward . 10.96.0.77\n}\n`);
    assert.deepEqual(await verdictsNow(), ['ok Wired']);
    await remove(fixed as Manifest);
    assert.deepEqual(await verdictsNow(), ['failed WiredElsewhere']);
  });

  it('multicluster without its role → failed; the role applied → wired, by a review and by the roles; both ways at once → failed', async () => {
    const own =
      'clusterset.local:53 {\n    kubernetes clusterset.local {\n        multicluster clusterset.local\n    }\n';
    await setCorefile(`${ROOT}${own}}\n`);
    assert.deepEqual(await verdictsNow(), ['failed MulticlusterForbidden']);
    const reader = ['--kubeconfig', await makeReader(), '-o', 'json'];
    assert.deepEqual(verdictsOf((await runCheckDns(...reader)).out), ['failed MulticlusterForbidden']);
    const objects = await applyChanges();
    assert.deepEqual(
      objects.map(({ kind }) => kind),
      ['ClusterRole', 'ClusterRoleBinding'],
    );
    assert.deepEqual(await verdictsNow(), ['ok Wired']);
    assert.deepEqual(verdictsOf((await runCheckDns(...reader)).out), ['ok Wired']);
    await setCorefile(`${ROOT}${own}    forward . ${address}\n}\n`);
    assert.deepEqual(await verdictsNow(), ['failed WiredTwice']);
  });

  it('a zone that kubernetes does not list → failed', async () => {
    await setCorefile('.:53 {\n    kubernetes cluster.local {\n        multicluster clusterset.local\n    }\n}\n');
    assert.deepEqual(await verdictsNow(), ['failed ZoneNotListed']);
  });

  it('a Corefile that cannot be read, long caches → said', async () => {
    await setCorefile('.:53 {\n    errors\n');
    assert.deepEqual(await verdictsNow(), ['failed CorefileUnreadable']);
    await setCorefile(
      `${ROOT}clusterset.local {\n    cache {\n        success 100 60 60\n    }\n    forward . ${address}\n}\n`,
    );
    assert.deepEqual(await verdictsNow(), ['ok Wired', 'warning CacheTooLong']);
  });

  it('clients that leave CoreDNS out → failed; applied → gone, and the comments stay', async () => {
    await setCorefile(wired());
    const node: Manifest = {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'n1' },
      spec: { podCIDRs: ['11.244.0.0/24'] },
    };
    await apply(node);
    const at = pod('coredns-2', '11.244.0.2');
    await apply(at);
    await status(at, { podIP: '11.244.0.2', phase: 'Running' });
    assert.deepEqual(await verdictsNow(), ['ok Wired', 'failed ClientsNotAnswered']);
    const [object] = await applyChanges();
    const { 'peer.yaml': text = '' } = object?.['data'] as Record<string, string>;
    assert.match(text, /# The name in the peer's certificate\./);
    assert.ok((parse(text) as { dns: { clients: string[] } }).dns.clients.includes('11.244.0.0/24'));
    assert.deepEqual(await verdictsNow(), ['ok Wired']);
    for (const gone of [node, at]) await remove(gone);
  });

  it('NodeLocal DNSCache without a block → failed; applied → wired; CoreDNS is not touched', async () => {
    await setCorefile(wired());
    const selector = { 'k8s-app': 'node-local-dns' };
    const container = { name: 'node-cache', image: 'none' };
    const daemons: Manifest = {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { namespace: DNS, name: 'node-local-dns' },
      spec: {
        selector: { matchLabels: selector },
        template: { metadata: { labels: selector }, spec: { hostNetwork: true, containers: [container] } },
      },
    };
    await apply(daemons);
    assert.deepEqual(await verdictsNow(), ['ok Wired', 'failed CorefileUnreadable']);
    const Corefile = '.:53 {\n    bind 169.254.20.10\n    forward . __PILLAR__UPSTREAM__SERVERS__\n}\n';
    await apply(configMap('node-local-dns', { Corefile }));
    assert.deepEqual(await verdictsNow(), ['ok Wired', 'failed NodeLocalNotWired']);
    const objects = await applyChanges();
    assert.deepEqual(
      objects.map(({ metadata }) => metadata.name),
      ['node-local-dns'],
    );
    assert.deepEqual(await verdictsNow(), ['ok Wired', 'ok Wired']);
    await apply(
      configMap('node-local-dns', { Corefile: `${Corefile}clusterset.local {\n    forward . 10.96.9.9\n}\n` }),
    );
    assert.deepEqual(await verdictsNow(), ['ok Wired', 'failed NodeLocalElsewhere']);
    await applyChanges();
    assert.deepEqual(await verdictsNow(), ['ok Wired', 'ok Wired']);
    await remove(daemons);
  });

  it("K3s' Corefile → coredns-custom is printed, and what else it has stays when it is applied", async () => {
    await setCorefile(`${ROOT}import /etc/coredns/custom/*.server\n`);
    await server.admin.apply(configMap('coredns-custom', { 'corp.server': 'corp.example {\n    whoami\n}\n' }), {
      fieldManager: 'somebody',
    });
    assert.deepEqual(await verdictsNow(), ['failed NotWired']);
    await applyChanges();
    assert.deepEqual(await verdictsNow(), ['ok Wired']);
    const { body } = await server.admin.request<{ data: object }>(
      'GET',
      `/api/v1/namespaces/${DNS}/configmaps/coredns-custom`,
    );
    assert.deepEqual(Object.keys(body.data).sort(), ['clusterset.server', 'corp.server']);
  });

  it("OpenShift's operator → its servers are printed with those that are there; applied → wired", async () => {
    await apply(OPERATOR_CRD);
    const operator: Manifest = {
      apiVersion: 'operator.openshift.io/v1',
      kind: 'DNS',
      metadata: { name: 'default' },
      spec: { servers: [{ name: 'corp', zones: ['corp.example'], forwardPlugin: { upstreams: ['10.9.9.9'] } }] },
    };
    await waitFor('the operator is served', async () => {
      return (await server.admin.request('GET', '/apis/operator.openshift.io/v1/dnses')).status === 200;
    });
    await apply(operator);
    assert.deepEqual(await verdictsNow(), ['failed NotWired']);
    await applyChanges();
    assert.deepEqual(await verdictsNow(), ['ok Wired']);
    const { body } = await server.admin.request<{ spec: { servers: { name: string }[] } }>(
      'GET',
      '/apis/operator.openshift.io/v1/dnses/default',
    );
    assert.deepEqual(
      body.spec.servers.map(({ name }) => name),
      ['corp', 'clusterset'],
    );
    await remove(operator);
  });

  it('no Service of ours → failed, and how to install', async () => {
    await remove({ apiVersion: 'v1', kind: 'Service', metadata: { namespace: SYSTEM, name: 'clusterlink-mcs-dns' } });
    const { exitCode, out } = await check();
    assert.equal(exitCode, 1);
    assert.match(out, /^failed +NotInstalled /m);
    assert.match(out, /deploy peer/);
  });

  it('a user who may read nothing → ERR_FORBIDDEN, exit code 1', async () => {
    const { exitCode, err } = await runCheckDns('--kubeconfig', await server.kubeconfigFor('nobody'));
    assert.equal(exitCode, 1);
    assert.match(err, /^ERR_FORBIDDEN /);
  });

  it('a context that is not there, two places → exit code 2', async () => {
    assert.equal((await check('--context', 'nobody')).exitCode, 2);
    assert.equal((await check('--config', 'peer.yaml')).exitCode, 2);
    assert.equal((await check('--from-here', '--responder', 'here')).exitCode, 2);
  });

  it('an API server that is away → exit code 3', async () => {
    await server.stop();
    assert.equal((await check()).exitCode, 3);
    await server.start();
  });
});

/** As much of OpenShift's CRD as says how `servers` are merged: as a whole. */
const OPERATOR_CRD: Manifest = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: {
    name: 'dnses.operator.openshift.io',
    annotations: { 'api-approved.kubernetes.io': 'unapproved, test' },
  },
  spec: {
    group: 'operator.openshift.io',
    scope: 'Cluster',
    names: { kind: 'DNS', listKind: 'DNSList', plural: 'dnses', singular: 'dns' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
};

function pod(name: string, address: string): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: DNS, name, labels: { 'k8s-app': 'kube-dns' }, annotations: { at: address } },
    spec: {
      containers: [{ name: 'coredns', image: 'none' }],
      volumes: [{ name: 'config-volume', configMap: { name: 'coredns' } }],
    },
  };
}
