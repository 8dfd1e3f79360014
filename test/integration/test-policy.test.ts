/** `test policy` against two peers with connections open, and what it reads where no peer runs. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { stringify } from 'yaml';
import { formatError } from '#src/api/errors.ts';
import { EXIT, exitCodeOf } from '#src/cli/output.ts';
import { makeProgram } from '#src/cli/program.ts';
import type { PolicyDiffReport } from '#src/cli/test-policy-diff.ts';
import { readGivenManifests } from '#src/cli/test-policy-manifests.ts';
import type { PolicyTestReport } from '#src/cli/test-policy.ts';
import type { ClosingRecord } from '#src/gateway/messages.ts';
import { callAdmin } from '#src/runtime/admin.ts';
import { MANIFEST_BYTES_MAX } from '#src/store/limits.ts';
import {
  exportManifest,
  makeWorld,
  policyManifest,
  ruleManifest,
  type StandalonePeer,
  type World,
} from '#test/support/standalone.ts';
import { waitFor } from '#test/support/wait.ts';
import { is, regular, spec } from '../unit/policy/fixtures.ts';

const PORT = 15_432;
const all = regular('shop', spec('allow'), 'all');
const strict = regular('shop', spec('deny', is({ peer: 'west' })), 'strict');

describe('test policy', function () {
  this.timeout(60_000);
  let world: World;
  let east: StandalonePeer;
  let west: StandalonePeer;
  let echo: Server;
  let address: string;

  before(async () => {
    world = await makeWorld();
    [east, west] = await Promise.all([world.peer('east'), world.peer('west')]);
    await world.link(east, west);
    echo = createServer((socket) => socket.on('error', () => undefined).pipe(socket)).listen(0, '127.0.0.1');
    await once(echo, 'listening');
    await east.write('db.yaml', exportManifest('db', PORT, (echo.address() as AddressInfo).port));
    await west.write('rule.yaml', `${ruleManifest()}---\n${stringify(policyManifest('store'))}`);
    const ready = await waitFor('the import is ready', async () =>
      (await west.status()).imports.find(({ name, ready: isReady }) => name === 'store/db' && isReady === 'True'),
    );
    address = ready.ip;
  });
  afterEach(async () => {
    for (const { manifests } of [east, west]) await rm(join(manifests, 'strict.yaml'), { force: true });
    await waitFor('connections pass', async () => (await open()).destroy());
  });
  after(async () => {
    echo.close();
    await world.close();
  });

  /** As `main.ts` runs it, without a process for each. */
  async function run(...words: string[]): Promise<{ code: number; out: string; error: string }> {
    const said = { out: '', error: '' };
    let code: number = EXIT.ok;
    const streams = {
      out: (text: string) => void (said.out += `${text}\n`),
      error: (text: string) => void (said.error += `${text}\n`),
      bytes: () => assert.fail('it prints text'),
    };
    const program = makeProgram(streams, (ended) => (code = ended));
    try {
      await program.parseAsync(['test', 'policy', ...words], { from: 'user' });
    } catch (error) {
      said.error += formatError(error);
      code = exitCodeOf(error);
    }
    return { code, ...said };
  }
  async function writeOther(file: string, ...objects: unknown[]): Promise<string> {
    const path = join(world.root, file);
    await writeFile(path, objects.map((object) => stringify(object)).join('---\n'));
    return path;
  }
  /** Resolves when a byte has come back. */
  async function open(): Promise<Socket> {
    const socket = connect(PORT, address);
    socket.write('?');
    await once(socket, 'data');
    return socket;
  }
  async function closingsOf({ state }: StandalonePeer): Promise<readonly ClosingRecord[]> {
    const path = join(state, 'admin.sock');
    return (await callAdmin({ path, method: 'GET', route: '/closings', timeoutMs: 5_000 })) as ClosingRecord[];
  }

  it('egress and ingress of running peers → what they decide, and by which policy', async () => {
    const egress = await run('egress', '--client', 'host', '--import', 'store/db', '--state', west.state);
    assert.equal(egress.code, 0, egress.error);
    assert.match(egress.out, /ALLOWED egress store\/db from east\/shop\/db\n.*AccessPolicy store\/allow-all allows it/);
    const words = ['--export', 'shop/db', '--state', east.state, '-o', 'json'];
    const ingress = await run('ingress', '--peer', 'west', '--client', 'web/front', ...words);
    assert.equal(ingress.code, 0, ingress.error);
    const report = JSON.parse(ingress.out) as PolicyTestReport;
    assert.deepEqual(report.answers[0]?.asked?.decision.policy, {
      kind: 'AccessPolicy',
      namespace: 'shop',
      name: 'allow-db',
    });
    assert.match(report.notes.join(), /may-assert/);
    assert.equal((await run('ingress', '--peer', 'north', ...words)).code, 1);
  });

  it('an import that is not there → exit code 2: a slip is no denial', async () => {
    const { code, error } = await run('egress', '--import', 'store/bd', '--state', west.state);
    assert.deepEqual([code, /ERR_USAGE.*store\/db/.test(error)], [2, true], error);
  });

  it('no peer runs there → exit code 3', async () => {
    assert.equal((await run('egress', '--import', 'store/db', '--state', world.root)).code, 3);
  });

  it('--diff with a deny → foretells the open connection, which goes on; applied → that one ends, for that reason', async () => {
    const client = await open();
    try {
      const path = await writeOther('strict.yaml', strict);
      const { code, out } = await run('--diff', path, '--state', east.state, '-o', 'json');
      assert.equal(code, 1);
      const { cuts, cutsTotal, open: openTotal, policies } = JSON.parse(out) as PolicyDiffReport;
      assert.deepEqual([cutsTotal, openTotal, policies.added], [1, 1, ['AccessPolicy shop/strict']]);
      client.write('!');
      assert.equal(String((await once(client, 'data'))[0]), '!');

      const cut = new Promise((resolve) => client.once('error', () => undefined).once('close', resolve));
      await east.write('strict.yaml', stringify(strict));
      await cut;
      const record = await waitFor('the closing record', async () =>
        (await closingsOf(east)).find(({ connection }) => connection === cuts[0]?.connection),
      );
      assert.deepEqual([record.reason, record.message], [cuts[0]?.reason, cuts[0]?.message]);
    } finally {
      client.destroy();
    }
  });

  it('--diff --replace without any policy → every open connection would be cut, here where clients are', async () => {
    const client = await open();
    try {
      const path = await writeOther('none.yaml', null);
      const { code, out } = await run('--diff', path, '--replace', '--state', west.state);
      assert.equal(code, 1, out);
      assert.match(out, /^removed AccessPolicy store\/allow-all$/m);
      assert.match(out, /^1 of 1 open connections would be cut\.$/m);
      assert.match(out, /^egress +store\/db +east +1 +POLICY_CHANGED/m);
    } finally {
      client.destroy();
    }
  });

  for (const [side, row] of [
    ['east', /^ingress +shop\/db +west +\d+$/m],
    ['west', /^egress +store\/db +east +\d+$/m],
  ] as const) {
    it(`--diff at ${side} that takes its deny back → nothing is cut, and the connections refused of late would pass`, async () => {
      const peer = side === 'east' ? east : west;
      const policy = side === 'east' ? strict : regular('store', spec('deny'), 'strict');
      await peer.write('strict.yaml', stringify(policy));
      await waitFor('a connection is refused', () =>
        open().then(
          (client) => void client.destroy(),
          () => true,
        ),
      );
      const path = await writeOther('lenient.yaml', { ...policy, spec: spec('deny', is({ peer: 'north' })) });
      const { code, out } = await run('--diff', path, '--state', peer.state);
      assert.equal(code, 0, out);
      assert.match(out, /^changed AccessPolicy (?:shop|store)\/strict$/m);
      assert.match(out, /connections refused of late would not be refused here/);
      assert.match(out, row);
    });
  }
});

describe('readGivenManifests', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'clusterlink-mcs-test-'));
    await writeFile(join(folder, 'all.yaml'), stringify(all));
    await writeFile(join(folder, 'broken.txt'), 'kind: [');
    await writeFile(join(folder, 'long.txt'), '#'.repeat(MANIFEST_BYTES_MAX + 1));
  });
  after(() => rm(folder, { recursive: true }));

  const input = (text: string) => () => Readable.from([Buffer.from(text)]);
  const namesOf = (objects: readonly { metadata?: { name?: string } }[]) =>
    objects.map(({ metadata }) => metadata?.name);

  it('a folder, a file, and standard input → objects of all, the first of each name', async () => {
    const other = { ...all, spec: spec('deny') };
    const { objects } = await readGivenManifests(
      [folder, join(folder, 'all.yaml'), '-'],
      input([stringify(other), stringify(strict)].join('---\n')),
    );
    assert.deepEqual(namesOf(objects), ['all', 'strict']);
    assert.deepEqual(objects[0] && 'spec' in objects[0] ? objects[0].spec : undefined, all.spec);
  });

  it('a list, as kubectl prints it → its items', async () => {
    const list = { apiVersion: 'v1', kind: 'List', items: [all, strict] };
    assert.deepEqual(namesOf((await readGivenManifests(['-'], input(stringify(list)))).objects), ['all', 'strict']);
  });

  it('a policy that cannot be evaluated → taken, and told', async () => {
    const broken = { ...strict, spec: { ...strict.spec, from: [] } };
    const { objects, problems } = await readGivenManifests(['-'], input(stringify(broken)));
    assert.deepEqual(namesOf(objects), ['strict']);
    assert.match(problems[0]?.message ?? '', /selects no client/);
  });

  it('a document that is refused, behind a policy that is only invalid → ERR_USAGE that names the document', async () => {
    const broken = { ...strict, spec: { ...strict.spec, from: [] } };
    const refused = { apiVersion: 'multicluster.x-k8s.io/v1beta1', kind: 'ServiceExport', metadata: { name: 'A b' } };
    const text = [broken, refused].map((object) => stringify(object)).join('---\n');
    await assert.rejects(readGivenManifests(['-'], input(text)), { code: 'ERR_USAGE', message: /metadata\.name/ });
  });

  for (const [what, file] of [
    ['no file', 'nothing.yaml'],
    ['half a document', 'broken.txt'],
    [`more than ${MANIFEST_BYTES_MAX} bytes`, 'long.txt'],
  ] as const) {
    it(`${what} → ERR_USAGE: half of the policies would give a wrong answer`, async () => {
      await assert.rejects(readGivenManifests([join(folder, file)]), { code: 'ERR_USAGE' });
    });
  }
});
