/** The API servers that other tests stand on: real, alone, gone afterwards. And the project's CRDs on them. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { startApiServer, type ApiServer } from '#test/support/api-server/api-server.ts';
import { createNamespace, readManifests } from '#test/support/api-server/manifests.ts';
import type { Manifest } from '#test/support/api-server/rest.ts';
import { waitFor } from '#test/support/wait.ts';

interface Meta {
  readonly metadata: { readonly uid: string; readonly resourceVersion: string };
}

interface Kubeconfig {
  readonly clusters: readonly { readonly cluster: { readonly server: string } }[];
}

const CRDS = fileURLToPath(new URL('../../crds/', import.meta.url));
/** How long a request that must hang is watched. */
const HANG_MS = 300;
/** Where containers are used, theirs are removed ten seconds after the process that wanted them. */
const GONE_TIMEOUT_MS = 30_000;

describe('startApiServer', function () {
  this.timeout(120_000);
  let east: ApiServer;
  let west: ApiServer;

  before(async () => {
    [east, west] = await Promise.all([startApiServer(), startApiServer({ serviceRange: '10.97.0.0/24' })]);
  });
  after(() => Promise.all([east.close(), west.close()]));

  it('two at once → an object of one is none of the other', async () => {
    assert.notEqual(east.url, west.url);
    await createNamespace(east.admin, 'only-east');
    const replies = await Promise.all(
      [east, west].map((server) => server.admin.request('GET', '/api/v1/namespaces/only-east')),
    );
    assert.deepEqual(
      replies.map(({ status }) => status),
      [200, 404],
    );
  });

  it('a Service → a ClusterIP from the range that was given', async () => {
    const addresses = await Promise.all([east, west].map((server) => clusterIpOf(server)));
    assert.match(addresses[0] ?? '', /^10\.96\.\d+\.\d+$/);
    assert.match(addresses[1] ?? '', /^10\.97\.0\.\d+$/);
  });

  it('a pod without a service account → created, and its status is the test’s to write', async () => {
    const pod: Manifest = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'web', namespace: 'default' },
      spec: { containers: [{ name: 'web', image: 'test.local/web:1' }] },
    };
    assert.equal((await east.admin.apply(pod)).status, 201);
    const { spec, ...rest } = pod;
    assert.ok(spec !== undefined);
    const status = { phase: 'Running', podIP: '10.244.0.9', podIPs: [{ ip: '10.244.0.9' }] };
    const reply = await east.admin.apply<{ status: { podIP: string } }>({ ...rest, status }, { subresource: 'status' });
    assert.equal(reply.body.status.podIP, '10.244.0.9');
  });

  it('an identity without a role → 403; with one → 200', async () => {
    const joe = await east.restFor('joe', ['readers', 'guests']);
    const path = '/api/v1/namespaces/default/services';
    assert.equal((await joe.request('GET', path)).status, 403);
    for (const object of roleFor('guests')) assert.equal((await east.admin.apply(object)).status, 201);
    await waitFor('the binding is in force', async () => (await joe.request('GET', path)).status === 200);
    assert.equal((await joe.request('DELETE', `${path}/kubernetes`)).status, 403);
  });

  it('kubeconfigFor → a file that names the server, for its owner alone', async () => {
    const path = await east.kubeconfigFor('joe');
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    const { clusters } = parse(await readFile(path, 'utf8')) as Kubeconfig;
    assert.equal(clusters[0]?.cluster.server, east.url);
  });

  it('writes → who wrote what, refused ones too; no read and no dry run', async () => {
    const ann = await west.restFor('ann');
    const object: Manifest = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'map', namespace: 'default' } };
    await west.admin.apply(object, { dryRun: 'All' });
    await west.admin.apply(object);
    await ann.apply(object);
    await ann.request('GET', '/api/v1/namespaces/default/configmaps/map');
    const writes = await waitFor('both writes are in the log', async () => {
      const found = (await west.writes()).filter(({ resource }) => resource === 'configmaps');
      return found.length >= 2 ? found : undefined;
    });
    assert.deepEqual(
      writes.map(({ verb, user, name, code }) => ({ verb, user, name, code })),
      [
        { verb: 'patch', user: 'admin', name: 'map', code: 201 },
        { verb: 'patch', user: 'ann', name: 'map', code: 403 },
      ],
    );
  });

  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    it(`stop by ${signal}, then start → the same address, the same objects`, async () => {
      const path = '/api/v1/namespaces/default';
      const { body: before } = await west.admin.request<Meta>('GET', path);
      await west.stop(signal);
      await assert.rejects(west.admin.request('GET', path), /ECONNREFUSED|ECONNRESET|socket hang up/);
      await west.start();
      const { body: after } = await west.admin.request<Meta>('GET', path);
      assert.equal(after.metadata.uid, before.metadata.uid);
    });
  }

  it('pauseEtcd → a write hangs; resumeEtcd → it ends well', async () => {
    await west.pauseEtcd();
    const write = west.admin.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'late' } });
    const first = await Promise.race([write, sleep(HANG_MS)]);
    await west.resumeEtcd();
    assert.equal(first, undefined);
    assert.equal((await write).status, 201);
  });

  it('a flag the server does not know → an error with the server’s words, and no trace', async () => {
    await assert.rejects(startApiServer({ args: ['--no-such-flag=1'] }), /unknown flag: --no-such-flag/);
  });

  it('the test process is killed → no server and no file is left', async () => {
    const child = spawn(process.execPath, [fileURLToPath(new URL('../support/api-server/run.ts', import.meta.url))], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(child, 'exit');
    const [line] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string];
    const folder = dirname(line.trim());
    assert.ok(existsSync(folder));
    const pidFiles = (await readdir(folder)).filter((name) => name.endsWith('.pid'));
    const pids = await Promise.all(pidFiles.map(async (name) => Number(await readFile(join(folder, name), 'utf8'))));
    assert.ok(pids.every(isRunning));
    const { clusters } = parse(await readFile(line.trim(), 'utf8')) as Kubeconfig;
    const { port } = new URL(clusters[0]?.cluster.server ?? '');
    child.kill('SIGKILL');
    await ended;
    const isGone = async () => !existsSync(folder) && !pids.some(isRunning) && !(await isListening(Number(port)));
    await waitFor('everything is gone', isGone, GONE_TIMEOUT_MS);
  });
});

describe('crds/', function () {
  this.timeout(120_000);
  let server: ApiServer;

  before(async () => {
    server = await startApiServer({ crds: [] });
  });
  after(() => server.close());

  it('each file as it is, by a dry run → accepted', async () => {
    const files = (await readdir(CRDS)).filter((name) => name.endsWith('.yaml'));
    assert.ok(files.length >= 10);
    for (const file of files) {
      // kubectl and the server read YAML with a parser of their own, which refuses some of what ours reads.
      const body = await readFile(join(CRDS, file), 'utf8');
      const name = /^ {2}name: (\S+)$/m.exec(body)?.[1];
      const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${name}?fieldManager=test&dryRun=All&fieldValidation=Strict`;
      const reply = await server.admin.request('PATCH', path, { body, contentType: 'application/apply-patch+yaml' });
      assert.equal(reply.status, 201, `${file}: ${JSON.stringify(reply.body)}`);
    }
  });

  it('applied, then applied again → accepted, and the second time changes nothing', async () => {
    const crds = await readManifests(['crds']);
    for (const crd of crds) assert.equal((await server.admin.apply(crd)).status, 201, crd.metadata.name);
    const versions = await Promise.all(crds.map((crd) => settledVersion(server, crd)));
    for (const crd of crds) assert.equal((await server.admin.apply(crd)).status, 200, crd.metadata.name);
    assert.deepEqual(await Promise.all(crds.map((crd) => settledVersion(server, crd))), versions);
  });
});

/** The server itself still writes a new CRD's conditions; what follows is nobody's but the appliers'. */
async function settledVersion(server: ApiServer, crd: Manifest): Promise<string> {
  type Crd = Meta & { readonly status?: { readonly conditions?: readonly { type: string; status: string }[] } };
  return waitFor(`${crd.metadata.name} is established`, async () => {
    const { body } = await server.admin.request<Crd>('GET', await server.admin.pathOf(crd));
    const { conditions = [] } = body.status ?? {};
    const problem = conditions.find(({ type, status }) => type === 'NonStructuralSchema' && status === 'True');
    assert.equal(problem, undefined, JSON.stringify(problem));
    const isEstablished = conditions.some(({ type, status }) => type === 'Established' && status === 'True');
    return isEstablished ? body.metadata.resourceVersion : undefined;
  });
}

async function clusterIpOf(server: ApiServer): Promise<string> {
  const reply = await server.admin.apply<{ spec: { clusterIP: string } }>({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'db', namespace: 'default' },
    spec: { ports: [{ port: 5432 }] },
  });
  assert.equal(reply.status, 201, JSON.stringify(reply.body));
  return reply.body.spec.clusterIP;
}

function roleFor(group: string): readonly Manifest[] {
  const metadata = { name: 'read-services', namespace: 'default' };
  const apiGroup = 'rbac.authorization.k8s.io';
  return [
    {
      apiVersion: `${apiGroup}/v1`,
      kind: 'Role',
      metadata,
      rules: [{ apiGroups: [''], resources: ['services'], verbs: ['get', 'list'] }],
    },
    {
      apiVersion: `${apiGroup}/v1`,
      kind: 'RoleBinding',
      metadata,
      roleRef: { apiGroup, kind: 'Role', name: 'read-services' },
      subjects: [{ apiGroup, kind: 'Group', name: group }],
    },
  ];
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function isListening(port: number): Promise<boolean> {
  const socket = connect({ port, host: '127.0.0.1' });
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
