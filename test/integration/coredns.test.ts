/**
 * The fixture of names asked three ways: of the responder, of CoreDNS that forwards to it (the stub zone), and of CoreDNS that reads
 * ServiceImports and EndpointSlices itself (its `multicluster` option). The Corefiles are those of coredns/.
 */
import assert from 'node:assert/strict';
import { startDnsServer, type DnsServer } from '#src/dns/server.ts';
import { makeSilentLogger } from '#src/runtime/log.ts';
import { startApiServer, type ApiServer } from '#test/support/api-server/api-server.ts';
import { applyManifests, createNamespace, readManifests } from '#test/support/api-server/manifests.ts';
import type { Manifest } from '#test/support/api-server/rest.ts';
import { corednsFiles, fillIn, parseObjects, readCorefile, toLocal } from '#test/support/coredns-files.ts';
import { CORE_DNS_BUILD_TIMEOUT_MS, requireCoreDns, startCoreDns, type CoreDns } from '#test/support/coredns.ts';
import { MULTICLUSTER_DIFFERENCES } from '#test/support/dns-differences.ts';
import { runDig } from '#test/support/dns-clients.ts';
import {
  below,
  clusterSetIp,
  endpoint,
  FIXTURE,
  FIXTURE_ROWS,
  headless,
  NOT_READY,
  snapshotOf,
  titleOf,
  ZONE,
} from '#test/support/dns-fixture.ts';
import { toClusterObjects } from '#test/support/dns-objects.ts';
import { checkByDig, checkByPacket, OURS, TRANSPORTS, type Manner } from '#test/support/dns-rows.ts';
import { requireTool } from '#test/support/tools.ts';
import { waitFor } from '#test/support/wait.ts';

/** CoreDNS keeps what it caches for 5 s at least, and says so in the answer; negative ones keep the responder's SOA. */
const FORWARDED: Manner = { ttlSecondsMax: () => 5, minimumSeconds: 4, keepsCase: false };
const MULTICLUSTER: Manner = {
  ttlSecondsMax: (type) => (type === 'TXT' ? 28_800 : 5),
  minimumSeconds: 5,
  keepsCase: true,
};

/** Of CoreDNS' own ClusterRole, as distributions install it: everything but ServiceImports. */
const CORE_DNS_ROLE: readonly Manifest[] = [
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name: 'system:coredns' },
    rules: [
      { apiGroups: [''], resources: ['endpoints', 'services', 'pods', 'namespaces'], verbs: ['list', 'watch'] },
      { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] },
    ],
  },
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: 'system:coredns' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'system:coredns' },
    subjects: [{ kind: 'ServiceAccount', name: 'coredns', namespace: 'kube-system' }],
  },
];
const CORE_DNS_USER = 'system:serviceaccount:kube-system:coredns';

describe('CoreDNS and the responder', () => {
  let program = '';
  let dig = '';
  let responder: DnsServer;
  let server: ApiServer;
  let kubeconfig = '';
  const undo = new AsyncDisposableStack();

  before(async function () {
    this.timeout(CORE_DNS_BUILD_TIMEOUT_MS);
    dig = requireTool(this, 'dig');
    program = requireCoreDns(this);
    responder = await startResponder();
    undo.defer(() => responder.close());
    responder.apply(FIXTURE);
    server = undo.use(await startApiServer());
    await createNamespace(server.admin, 'shop');
    await applyManifests(server.admin, [...CORE_DNS_ROLE, ...toClusterObjects(FIXTURE, NOT_READY)]);
    kubeconfig = await server.kubeconfigFor(CORE_DNS_USER);
  });
  after(() => undo.disposeAsync());

  const startResponder = (): Promise<DnsServer> =>
    startDnsServer({
      listen: { host: '127.0.0.1', port: 0 },
      clients: ['127.0.0.0/8'],
      logger: makeSilentLogger(),
    });

  const addressOf = (server: DnsServer): string => `127.0.0.1:${server.address.port}`;

  /** CoreDNS with the Corefile of a file of coredns/. */
  async function start(file: string, to = addressOf(responder), timeoutMs?: number): Promise<CoreDns> {
    const corefile = await readCorefile(file);
    assert.ok(corefile !== undefined, `${file} has no Corefile`);
    return startCoreDns(program, (ports) => toLocal(corefile, { responder: to, kubeconfig }, ports), timeoutMs);
  }

  const ask = async (port: number, name: string, type = 'A'): Promise<string> => {
    const { status, answers } = await runDig(dig, port, [name, type]);
    return [status, ...answers].join(' ');
  };

  describe('asked directly', () => {
    for (const row of FIXTURE_ROWS) {
      it(titleOf(row), async () => {
        for (const transport of TRANSPORTS) {
          await checkByDig(dig, row, { port: responder.address.port, transport, manner: OURS });
          await checkByPacket(row, { port: responder.address.port, transport, manner: OURS });
        }
      });
    }
  });

  describe('the stub zone', () => {
    let coredns: CoreDns;
    before(async () => {
      coredns = undo.use(await start('Corefile.stub'));
    });

    for (const row of FIXTURE_ROWS) {
      it(titleOf(row), async () => {
        // What comes first is forwarded, the rest is out of the cache.
        for (const transport of TRANSPORTS) {
          await checkByDig(dig, row, { port: coredns.port, transport, manner: FORWARDED });
          await checkByPacket(row, { port: coredns.port, transport, manner: FORWARDED });
        }
      });
    }

    it('DNS-18 an answer out of the cache → its names are written as whoever asked first wrote them', async () => {
      await using fresh = await start('Corefile.stub');
      const [lower, upper] = [below('solo'), below('solo').toUpperCase()];
      assert.deepEqual((await runDig(dig, fresh.port, [upper, 'A'])).owners, [upper]);
      assert.deepEqual((await runDig(dig, fresh.port, [lower, 'A'])).owners, [upper]);
    });

    it('DNS-30 a responder that knows nothing yet → SERVFAIL, and answers a moment after it knows', async () => {
      const late = await startResponder();
      await using stack = new AsyncDisposableStack();
      stack.defer(() => late.close());
      const { port } = stack.use(await start('Corefile.stub', addressOf(late)));
      assert.equal(await ask(port, below('web')), 'SERVFAIL');
      late.apply(FIXTURE);
      await waitFor(
        'CoreDNS has forgotten SERVFAIL',
        async () => (await ask(port, below('web'))) !== 'SERVFAIL',
        3_000,
      );
      assert.equal(await ask(port, below('web')), 'NOERROR 10.45.0.7');
    });

    it('DNS-31 an answer too large for UDP → whole, over TCP on both legs', async () => {
      const endpoints = Array.from({ length: 200 }, (_, index) => endpoint('east', `p${index}`, `10.9.0.${index}`));
      const large = await startResponder();
      await using stack = new AsyncDisposableStack();
      stack.defer(() => large.close());
      large.apply(snapshotOf(headless('big', { endpoints })));
      const { port } = stack.use(await start('Corefile.stub', addressOf(large)));
      const cut = await runDig(dig, port, [below('big'), 'A', '+notcp', '+ignore']);
      assert.ok(cut.flags.includes('tc'));
      assert.equal((await runDig(dig, port, [below('big'), 'A'])).answers.length, 200);
    });

    it('an alias before the brace → forwarded too, and nothing else of its zone', async () => {
      const alias = 'db.corp.example';
      const aliased = await startResponder();
      await using stack = new AsyncDisposableStack();
      stack.defer(() => aliased.close());
      aliased.apply(snapshotOf(clusterSetIp('web', { ips: ['10.45.0.7'], aliases: [alias] })));
      const corefile = (await readCorefile('Corefile.stub'))?.replace(`${ZONE}:53 {`, `${ZONE}:53 ${alias}:53 {`) ?? '';
      const surroundings = { responder: addressOf(aliased), kubeconfig };
      const { port } = stack.use(await startCoreDns(program, (ports) => toLocal(corefile, surroundings, ports)));
      assert.equal(await ask(port, alias), 'NOERROR 10.45.0.7');
      assert.equal(await ask(port, below('web')), 'NOERROR 10.45.0.7');
      assert.equal(await ask(port, 'other.corp.example'), 'REFUSED');
    });

    it('two responders, one of them gone → every question answered', async () => {
      const gone = await startResponder();
      await gone.close();
      await using pair = await start('Corefile.stub', `${addressOf(gone)} ${addressOf(responder)}`);
      for (const row of FIXTURE_ROWS.filter(({ type }) => type === 'A').slice(0, 10)) {
        await checkByDig(dig, row, { port: pair.port, transport: 'udp', manner: FORWARDED });
      }
    });
  });

  describe('the multicluster option', () => {
    let coredns: CoreDns;
    before(async () => {
      // It waits 5 s for what it may not read, then begins without it.
      await assert.rejects(
        start('Corefile.multicluster', addressOf(responder), 10_000),
        /Plugins not ready: "kubernetes"/,
      );
      await applyManifests(server.admin, await readManifests(['coredns/multicluster-rbac.yaml']));
      coredns = undo.use(await start('Corefile.multicluster'));
    }).timeout(120_000);

    for (const row of FIXTURE_ROWS) {
      const difference = MULTICLUSTER_DIFFERENCES[row.id];
      const wanted = difference ?? row;
      it(`${titleOf(row, wanted)}${difference === undefined ? '' : `: ${difference.why}`}`, async () => {
        for (const transport of TRANSPORTS) {
          await checkByDig(dig, row, { port: coredns.port, transport, manner: MULTICLUSTER, wanted });
          await checkByPacket(row, { port: coredns.port, transport, manner: MULTICLUSTER, wanted });
        }
      });
    }

    it('every difference is of a row, and is one', () => {
      for (const [id, { rcode, answers }] of Object.entries(MULTICLUSTER_DIFFERENCES)) {
        const row = FIXTURE_ROWS.find((candidate) => candidate.id === id);
        assert.ok(row !== undefined, id);
        assert.notDeepEqual({ rcode, answers }, { rcode: row.rcode, answers: row.answers });
      }
    });
  });

  describe('the files', () => {
    before(async () => {
      await createNamespace(server.admin, 'clusterlink-system');
      await applyManifests(server.admin, await readManifests(['coredns/multicluster-rbac.yaml']));
    });

    it('each with a Corefile → CoreDNS takes it, and answers a name of the clusterset', async () => {
      const answered: string[] = [];
      for (const file of await corednsFiles()) {
        if ((await readCorefile(file)) === undefined) continue;
        await using coredns = await start(file);
        assert.equal(await ask(coredns.port, below('web')), 'NOERROR 10.45.0.7', file);
        const version = await ask(coredns.port, `dns-version.${ZONE}`, 'TXT');
        assert.equal(version, /multicluster/.test(file) ? 'NOERROR 1.1.0' : 'NOERROR 1.0.0', file);
        answered.push(file);
      }
      assert.deepEqual(answered, [
        'Corefile.multicluster',
        'Corefile.stub',
        'Corefile.stub-nodelocaldns',
        'multicluster-kubeadm.yaml',
        'stub-aks.yaml',
        'stub-eks.yaml',
        'stub-k3s.yaml',
        'stub-kubeadm.yaml',
      ]);
    }).timeout(120_000);

    it('each with objects of Kubernetes → an API server takes them', async () => {
      const taken: string[] = [];
      for (const file of await corednsFiles()) {
        if (!file.endsWith('.yaml')) continue;
        for (const object of parseObjects(await fillIn(file, '10.96.0.53')) as unknown as readonly Manifest[]) {
          // Those of others: the DNS operator of OpenShift, the add-on of EKS.
          if (object.apiVersion === undefined || object.apiVersion.includes('openshift')) continue;
          const { status, body } = await server.admin.apply(object, { dryRun: 'All' });
          assert.ok(status < 300, `${file}: ${JSON.stringify(body)}`);
          taken.push(`${object.kind} ${object.metadata.name}`);
        }
      }
      assert.deepEqual([...new Set(taken)].sort(), [
        'ClusterRole clusterlink-mcs-coredns-multicluster',
        'ClusterRoleBinding clusterlink-mcs-coredns-multicluster',
        'ConfigMap coredns',
        'ConfigMap coredns-custom',
        'ConfigMap kube-dns',
        'Service clusterlink-mcs-dns-fixed',
      ]);
    });
  });
});
