/** A pod dials an import by its name, with CoreDNS wired each of the two ways: by the files that an administrator applies. */
import assert from 'node:assert/strict';
import { fillIn } from '#test/support/coredns-files.ts';
import { eventually } from './api.ts';
import { installed, needNodes, type Peer } from './fixture.ts';
import { restartCoreDns } from './install.ts';
import { allowAll, importRule } from './rules.ts';
import { client, dig, get, namespace, server, service, serviceExport, whenPodsReady } from './workloads.ts';

const SHOP = 'dns-shop';
const STORE = 'dns-store';
const CLIENT = { namespace: STORE, name: 'client' };
const NAME = `web.${STORE}.svc.clusterset.local`;
const CORE_DNS = ['-n', 'kube-system'];

/** In the service range of the test clusters, below what Kubernetes gives out by itself. */
const FIXED_ADDRESS = '10.96.0.53';

interface Wiring {
  readonly title: string;
  /** In their order. */
  readonly files: readonly string[];
  /** What `dns-version` says tells who answers. */
  readonly version: string;
}

const WIRINGS: readonly Wiring[] = [
  { title: 'the stub zone', files: ['dns-service.yaml', 'stub-kubeadm.yaml'], version: '1.0.0' },
  {
    title: 'the multicluster option',
    files: ['multicluster-rbac.yaml', 'multicluster-kubeadm.yaml'],
    version: '1.1.0',
  },
];

describe('the name of an import', () => {
  let east: Peer;
  let west: Peer;
  let corefile = '';
  let address = '';

  before(async function () {
    needNodes(this); // The DNS of a cluster that somebody else needs is not for tests to change.
    ({ east, west } = installed());
    await east.apply(
      namespace(SHOP),
      server(east, { namespace: SHOP, name: 'server' }),
      service({ namespace: SHOP, name: 'web' }, 'server'),
      allowAll(SHOP),
      serviceExport({ namespace: SHOP, name: 'web' }),
    );
    const spec = {
      peers: { names: [east.name] },
      exports: { namespaces: [SHOP], names: ['web'] },
      into: { namespace: STORE },
    };
    await west.apply(namespace(STORE), allowAll(STORE), ...client(CLIENT), importRule('dns-web', spec));
    await Promise.all([whenPodsReady(east, SHOP, 1), whenPodsReady(west, STORE, 1)]);
    const imported = await west.until(
      'ServiceImport',
      { namespace: STORE, name: 'web' },
      (object) => (object?.spec?.ips?.length ?? 0) > 0,
    );
    address = imported?.spec?.ips?.[0] ?? '';
    corefile = await west.kubectl([...CORE_DNS, 'get', 'configmap', 'coredns', '-o', 'jsonpath={.data.Corefile}']);
  });

  after(async () => {
    if (corefile === '') return;
    const patch = JSON.stringify({ data: { Corefile: corefile } });
    await west.kubectl([...CORE_DNS, 'patch', 'configmap', 'coredns', '--type', 'merge', '-p', patch]);
    for (const file of ['multicluster-rbac.yaml', 'dns-service.yaml']) {
      const input = await fillIn(file, FIXED_ADDRESS);
      await west.kubectl(['delete', '--ignore-not-found', '-f', '-'], { input });
    }
    await replaceCoreDns();
    await west.remove('clusterimportrule', { namespace: '', name: 'dns-web' });
    await Promise.all([
      east.remove('namespace', { namespace: '', name: SHOP }),
      west.remove('namespace', { namespace: '', name: STORE }),
    ]);
  });

  /** Those that ran before answer no more: they go on for the seconds of their lame duck mode. */
  async function replaceCoreDns(): Promise<void> {
    const old = await west.kubectl([...CORE_DNS, 'get', 'pods', '-l', 'k8s-app=kube-dns', '-o', 'name']);
    await restartCoreDns(west);
    await west.kubectl([...CORE_DNS, 'wait', '--for=delete', '--timeout=60s', ...old.trim().split('\n')]);
  }

  for (const { title, files, version } of WIRINGS) {
    describe(`by ${title}, ${files.join(' and ')}`, () => {
      before(async () => {
        for (const file of files) {
          const input = await fillIn(file, FIXED_ADDRESS);
          await west.kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], { input });
        }
        await replaceCoreDns();
      });

      it('curl of a pod → answered by a pod of the other cluster', async () => {
        const answered = await eventually('a first answer', () => get(west, CLIENT, NAME));
        assert.ok(answered.startsWith(`${east.name}/server-`), answered);
      });

      it('dig of a pod → the address, the ports, and who answered', async () => {
        assert.deepEqual(await dig(west, CLIENT, NAME), [address]);
        assert.deepEqual(await dig(west, CLIENT, `_http._tcp.${NAME}`, 'SRV'), [`0 100 80 ${NAME}.`]);
        assert.deepEqual(await dig(west, CLIENT, 'dns-version.clusterset.local', 'TXT'), [`"${version}"`]);
        assert.deepEqual(await dig(west, CLIENT, `other.${STORE}.svc.clusterset.local`), []);
      });

      it('names of the cluster itself → as before', async () => {
        const kubernetes = await west.get('Service', { namespace: 'default', name: 'kubernetes' });
        const [found] = await dig(west, CLIENT, 'kubernetes.default.svc.cluster.local');
        assert.equal(found, kubernetes?.spec?.clusterIP);
      });
    });
  }
});
