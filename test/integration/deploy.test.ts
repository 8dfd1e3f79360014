/** `deploy peer` and `delete peer` on a real API server, and the manifests as that server reads them. */
import assert from 'node:assert/strict';
import { globSync, readFileSync, statSync } from 'node:fs';
import { request } from 'node:https';
import { Command } from 'commander';
import { parse } from 'yaml';
import { formatError } from '#src/api/errors.ts';
import { addDeployCommands } from '#src/cli/commands/deploy.ts';
import { exitCodeOf } from '#src/cli/output.ts';
import { startApiServer, type ApiServer } from '#test/support/api-server/api-server.ts';
import { createNamespace } from '#test/support/api-server/manifests.ts';
import type { Manifest } from '#test/support/api-server/rest.ts';
import { makeTestFabric, type TestFabric } from '#test/support/fabric.ts';

const SYSTEM = 'clusterlink-system';
const OURS = { 'app.kubernetes.io/managed-by': 'clusterlink-mcs' };
const PART_OF_US = { 'app.kubernetes.io/part-of': 'clusterlink-mcs' };
const MCS = 'multicluster.x-k8s.io/v1beta1';

interface Outcome {
  readonly exitCode: number;
  readonly out: readonly string[];
  readonly err: string;
}

interface Answer {
  readonly message?: string;
  readonly metadata?: { readonly resourceVersion: string; readonly deletionTimestamp?: string };
}

describe('deploy', function () {
  this.timeout(120_000);
  let server: ApiServer;
  let fabric: TestFabric;

  before(async () => {
    [server, fabric] = await Promise.all([startApiServer({ crds: [] }), makeTestFabric()]);
    await fabric.identity('east');
  });
  after(async () => {
    await server.close();
    await fabric.remove();
  });

  /** The commands as the program has them. */
  async function run(line: string, kubeconfig = server.kubeconfig): Promise<Outcome> {
    const out: string[] = [];
    const err: string[] = [];
    let exitCode = 0;
    const program = new Command().exitOverride();
    const streams = {
      out: (text: string) => void out.push(text),
      error: (text: string) => void err.push(text),
      bytes: () => undefined,
    };
    addDeployCommands({ program, streams, done: (code) => (exitCode = code) });
    try {
      await program.parseAsync([...line.split(' '), '--kubeconfig', kubeconfig], { from: 'user' });
    } catch (error) {
      err.push(formatError(error));
      exitCode = exitCodeOf(error);
    }
    return { exitCode, out, err: err.join('\n') };
  }
  const deployLine = (options = ''): string =>
    `deploy peer --name east --path ${fabric.path} --fabric test --wait 0${options === '' ? '' : ` ${options}`}`;

  /** As it stands in the file: the server's YAML parser is stricter than ours. */
  function dryRunText(path: string, text: string): Promise<{ status: number; body: string }> {
    const { users } = parse(readFileSync(server.kubeconfig, 'utf8')) as {
      users: { user: Record<`client-${'certificate' | 'key'}-data`, string> }[];
    };
    const { user } = users[0] ?? assert.fail('no user');
    return new Promise((resolve, reject) => {
      const outgoing = request(
        new URL(`${path}?dryRun=All&force=true&fieldManager=test&fieldValidation=Strict`, server.url),
        {
          method: 'PATCH',
          headers: { 'content-type': 'application/apply-patch+yaml' },
          rejectUnauthorized: false,
          cert: Buffer.from(user['client-certificate-data'], 'base64'),
          key: Buffer.from(user['client-key-data'], 'base64'),
        },
        (incoming) => {
          let body = '';
          incoming.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
          incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, body }));
        },
      );
      outgoing.on('error', reject).end(text);
    });
  }

  it('no CRDs and --no-with-crds → told which are missing, nothing written', async () => {
    const { exitCode, err } = await run(deployLine('--no-with-crds'));
    assert.equal(exitCode, 1);
    assert.match(err, /^ERR_NOT_FOUND CRDs .*serviceexports\.multicluster\.x-k8s\.io/);
    assert.equal((await server.admin.request('GET', `/api/v1/namespaces/${SYSTEM}`)).status, 404);
  });

  it('a CRD that somebody else installed, and older → left alone (CRD-03)', async () => {
    const [crd] = yamlObjects('crds/multicluster.x-k8s.io_serviceexports.yaml');
    const foreign = {
      ...crd,
      metadata: { ...crd?.metadata, labels: { 'multicluster.x-k8s.io/release-version': 'v0.2.0' } },
    };
    assert.equal((await server.admin.apply(foreign as Manifest)).status, 201);
    const { exitCode, out } = await run(deployLine('--profile clusterset --ingress NodePort --ingress-port 30443'));
    assert.equal(exitCode, 0);
    assert.ok(
      out.includes(
        'CustomResourceDefinition serviceexports.multicluster.x-k8s.io left alone: somebody else installed it',
      ),
    );
    assert.ok(out.includes('CustomResourceDefinition serviceimports.multicluster.x-k8s.io created'));
    assert.ok(out.includes('ClusterImportRule clusterset created'));
    assert.ok(out.includes(`Secret ${SYSTEM}/clusterlink-mcs-peer created`));
  });

  it('the same command again → nothing is changed', async () => {
    const { exitCode, out } = await run(deployLine('--profile clusterset --ingress NodePort --ingress-port 30443'));
    assert.equal(exitCode, 0);
    assert.deepEqual(
      out.filter((line) => !/ (unchanged|left alone: .*)$/.test(line)),
      [],
    );
    assert.ok(out.length > 45);
  });

  it('another image → the Deployments alone are changed', async () => {
    const { out } = await run(
      deployLine('--profile clusterset --ingress NodePort --ingress-port 30443 --image registry.example/mcs:2'),
    );
    assert.deepEqual(
      out.filter((line) => line.endsWith(' changed')),
      ['gateway', 'controller', 'dns'].map((part) => `Deployment ${SYSTEM}/clusterlink-mcs-${part} changed`),
    );
  });

  it('a newer CRD of ours → never made older (CRD-03)', async () => {
    const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/importbindings.mcs.clusterlink.net';
    const labels = { 'app.kubernetes.io/version': '99.0.0' };
    await server.admin.request('PATCH', path, { body: { metadata: { labels } } });
    const { out } = await run(deployLine('--profile clusterset --ingress NodePort --ingress-port 30443'));
    assert.ok(
      out.includes(
        'CustomResourceDefinition importbindings.mcs.clusterlink.net left alone: a newer version is installed',
      ),
    );
  });

  it('--start none → k8s.yaml beside the certificate, for its owner only, and nothing applied', async () => {
    const { exitCode, out, err } = await run(deployLine('--start none --ingress LoadBalancer --ingress-port 443'));
    const file = `${fabric.path}/test/east/k8s.yaml`;
    assert.equal(exitCode, 0);
    assert.deepEqual(out, [file]);
    assert.match(err, /kubectl apply/);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const text = readFileSync(file, 'utf8');
    for (const kind of ['Secret', 'CustomResourceDefinition']) assert.match(text, new RegExp(`^kind: ${kind}$`, 'm'));
    const { body } = await server.admin.request<{ spec: { type: string } }>(
      'GET',
      `/api/v1/namespaces/${SYSTEM}/services/clusterlink-mcs-gateway`,
    );
    assert.equal(body.spec.type, 'NodePort');
  });

  it('--dry-run → YAML that the server takes as it stands, and no private key in it', async () => {
    const { exitCode, out, err } = await run(deployLine('--profile clusterset --dry-run'));
    assert.equal(exitCode, 0);
    const text = out.join('\n');
    assert.doesNotMatch(text, /kind: Secret|PRIVATE KEY/);
    assert.match(err, /kubectl -n clusterlink-system create secret generic clusterlink-mcs-peer --from-file=/);
    for (const document of text.split(/^---$/m)) {
      const path = await server.admin.pathOf(parse(document) as Manifest);
      const { status, body } = await dryRunText(path, document);
      assert.equal(status, 200, body);
    }
  });

  for (const file of globSync(['crds/*.yaml', 'manifests/base/*.yaml', 'manifests/clusterset-profile/*.yaml']).sort()) {
    if (file.endsWith('kustomization.yaml')) continue;
    it(`${file} → the server takes it as it stands`, async () => {
      for (const document of readFileSync(file, 'utf8').split(/^---$/m)) {
        const path = await server.admin.pathOf(parse(document) as Manifest);
        const { status, body } = await dryRunText(path, document);
        assert.equal(status, 200, body);
      }
    });
  }

  for (const component of ['gateway', 'controller', 'dns']) {
    it(`a pod of the ${component} → passes restricted pod security`, async () => {
      const [deployment] = yamlObjects(`manifests/base/${component}.yaml`);
      const { template } = deployment?.['spec'] as { template: Pick<Manifest, 'metadata'> };
      const body = { apiVersion: 'v1', kind: 'Pod', ...template, metadata: { ...template.metadata, name: 'probe' } };
      const path = `/api/v1/namespaces/${SYSTEM}/pods?dryRun=All`;
      const reply = await server.admin.request<Answer>('POST', path, { body });
      assert.equal(reply.status, 201, reply.body.message ?? '');
      const risky = { ...body, spec: { ...(body as unknown as { spec: object }).spec, hostNetwork: true } };
      assert.equal((await server.admin.request('POST', path, { body: risky })).status, 403);
    });
  }

  describe('delete peer', () => {
    const objects = (managed: object): readonly Manifest[] => [
      {
        apiVersion: MCS,
        kind: 'ServiceImport',
        metadata: { name: 'i', namespace: 'shop', labels: managed },
        spec: { type: 'Headless', ports: [] },
      },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 's', namespace: 'shop', labels: managed },
        spec: { ports: [{ port: 1 }] },
      },
      {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { name: 'e', namespace: 'shop', labels: managed },
        addressType: 'IPv4',
        endpoints: [],
      },
      {
        apiVersion: 'about.k8s.io/v1beta1',
        kind: 'ClusterProperty',
        metadata: { name: 'p', labels: managed },
        spec: { value: 'x' },
      },
    ];
    const renamed = (object: Manifest): Manifest => ({
      ...object,
      metadata: { ...object.metadata, name: `${object.metadata.name}-user` },
    });
    const copied = (object: Manifest): Manifest => ({
      ...object,
      metadata: { ...object.metadata, name: `${object.metadata.name}-copy-user` },
    });
    const kept: readonly Manifest[] = [
      ...objects({}).map(renamed),
      // Copied with its labels: our controller did not apply it.
      ...objects(OURS).map(copied),
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'labelled-user', labels: PART_OF_US } },
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'dashboard-user', namespace: 'shop', labels: PART_OF_US },
      },
      { apiVersion: MCS, kind: 'ServiceExport', metadata: { name: 'db', namespace: 'shop' } },
      {
        apiVersion: 'mcs.clusterlink.net/v1alpha1',
        kind: 'ClusterImportRule',
        metadata: { name: 'mine' },
        spec: { peers: { all: true }, exports: { all: true }, into: { sameNamespace: true } },
      },
    ];
    const statusOf = async (object: Manifest): Promise<number> =>
      (await server.admin.request('GET', await server.admin.pathOf(object))).status;

    before(async () => {
      await createNamespace(server.admin, 'shop');
      for (const object of objects(OURS)) {
        assert.equal((await server.admin.apply(object, { fieldManager: 'clusterlink-mcs-controller' })).status, 201);
      }
      for (const object of kept) assert.equal((await server.admin.apply(object)).status, 201);
      const conditions = [
        { type: 'Valid', status: 'True', reason: 'Valid', message: '', lastTransitionTime: '2026-11-20T10:00:00Z' },
      ];
      const reply = await server.admin.apply(
        { apiVersion: MCS, kind: 'ServiceExport', metadata: { name: 'db', namespace: 'shop' }, status: { conditions } },
        { subresource: 'status', fieldManager: 'clusterlink-mcs-controller' },
      );
      assert.equal(reply.status, 200);
      const annotations = { 'mcs.clusterlink.net/first-port': '5432' };
      const noted = await server.admin.apply(
        { apiVersion: MCS, kind: 'ServiceExport', metadata: { name: 'db', namespace: 'shop', annotations } },
        { fieldManager: 'clusterlink-mcs-controller' },
      );
      assert.equal(noted.status, 200);
    });

    it('--dry-run → names it all, deletes nothing', async () => {
      const { exitCode, out } = await run('delete peer --dry-run');
      assert.equal(exitCode, 0);
      for (const line of ['Service shop/s', 'ServiceImport shop/i', 'ClusterProperty p', `Namespace ${SYSTEM}`]) {
        assert.ok(out.includes(`${line} would be deleted`), line);
      }
      assert.doesNotMatch(out.join('\n'), /-user|CustomResourceDefinition|ServiceExport|ClusterImportRule mine/);
      for (const object of objects({})) assert.equal(await statusOf(object), 200);
    });

    it('no controller running → nothing of ours is left, users keep theirs, CRDs stay', async () => {
      assert.equal((await run('delete peer --wait 0')).exitCode, 0);
      for (const object of objects({})) assert.equal(await statusOf(object), 404, object.kind);
      for (const object of kept) assert.equal(await statusOf(object), 200, object.kind);
      const label = 'labelSelector=app.kubernetes.io%2Fpart-of%3Dclusterlink-mcs';
      for (const path of [
        '/apis/rbac.authorization.k8s.io/v1/clusterroles',
        '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings',
        '/apis/rbac.authorization.k8s.io/v1/roles',
        '/apis/rbac.authorization.k8s.io/v1/rolebindings',
        '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies',
        '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings',
        '/apis/mcs.clusterlink.net/v1alpha1/clusterimportrules',
        '/apis/mcs.clusterlink.net/v1alpha1/baselineaccesspolicies',
        '/apis/apps/v1/deployments',
        '/api/v1/services',
        '/api/v1/secrets',
      ]) {
        const { body } = await server.admin.request<{ items: unknown[] }>('GET', `${path}?${label}`);
        assert.deepEqual(body.items, [], path);
      }
      // The controller that ends the deletion of a namespace is one of Kubernetes' own; none runs here.
      const { body } = await server.admin.request<Answer>('GET', `/api/v1/namespaces/${SYSTEM}`);
      assert.ok(body.metadata?.deletionTimestamp !== undefined);
      const crds = await server.admin.request<{ items: unknown[] }>(
        'GET',
        '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
      );
      assert.equal(crds.body.items.length, 13);
    });

    it('conditions and notes that we wrote into what stays → gone, and so is our name', async () => {
      const path = '/apis/multicluster.x-k8s.io/v1beta1/namespaces/shop/serviceexports/db';
      const { body } = await server.admin.request<{ status?: { conditions?: unknown[] } }>('GET', path);
      assert.deepEqual(body.status?.conditions ?? [], []);
      assert.doesNotMatch(JSON.stringify(body), /clusterlink-mcs-controller|first-port/);
    });

    it('again → nothing to do; and a namespace that does not go is told (exit code 1)', async () => {
      const { out, exitCode, err } = await run('delete peer --wait 1');
      assert.deepEqual(out, [`Namespace ${SYSTEM} deleted`]);
      assert.equal(exitCode, 1);
      assert.match(err, /^ERR_TIMEOUT Namespace clusterlink-system: is still there after 1 s/);
    });
  });

  describe('a cluster that does not let us', () => {
    it('rights that are missing → ERR_FORBIDDEN, exit code 1', async () => {
      const { exitCode, err } = await run('delete peer', await server.kubeconfigFor('joe'));
      assert.equal(exitCode, 1);
      assert.match(err, /^ERR_FORBIDDEN list clusterrolebindings: /);
    });

    it('an API server that is away → exit code 3', async () => {
      await server.stop('SIGKILL');
      const { exitCode, err } = await run('delete peer');
      assert.equal(exitCode, 3);
      assert.match(err, /^ERR_STORE_UNAVAILABLE /);
    });
  });
});

function yamlObjects(file: string): Manifest[] {
  return readFileSync(file, 'utf8')
    .split(/^---$/m)
    .map((text) => parse(text) as Manifest);
}
