/** The commands that tell how a running peer stands, as processes against two peers: `explain`, `probe`, `status`, `gather`. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { stringify } from 'yaml';
import type { FabricReport } from '#src/cli/run/fabric-status.ts';
import type { ProbeReport } from '#src/gateway/probe-import.ts';
import { makeStagedPair, type StagedPair } from '#test/support/stage.ts';
import { MAIN } from '#test/support/standalone.ts';
import { waitFor } from '#test/support/wait.ts';

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

describe('commands about a running peer', function () {
  this.timeout(60_000);
  let pair: StagedPair;
  let state: string;

  before(async () => {
    pair = await makeStagedPair();
    state = pair.west.state;
  });
  after(() => pair.close());
  afterEach(() => pair.undo());

  async function run(...words: string[]): Promise<Ended> {
    try {
      const { stdout, stderr } = await promisify(execFile)(process.execPath, [MAIN, ...words, '--state', state]);
      return { code: 0, out: stdout, error: stderr };
    } catch (error) {
      const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
      return { code, out: stdout, error: stderr };
    }
  }

  it('explain of what works, and of what does not → exit codes 0 and 1, and the remedy', async () => {
    assert.equal((await run('explain', 'host', 'store/catalog:80')).code, 0);
    const { code, out } = await run('explain', 'host', 'store/catalgo:80');
    assert.equal(code, 1);
    assert.match(out, /FAIL name .*IMPORT_DELETED.*\n +Fix: did you mean store\/catalog\?/);
  });

  it('probe of an import that works → every source with its time, exit code 0', async () => {
    const { code, out } = await run('probe', 'catalog.store.svc.clusterset.local:80');
    assert.equal(code, 0);
    assert.match(out, /^east\/shop\/catalog +ok +[\d.]+ ms +an endpoint was connected to$/m);
    const { ok, sources } = JSON.parse((await run('probe', 'store/catalog:80', '-o', 'json')).out) as ProbeReport;
    assert.deepEqual([ok, sources.length], [true, 1]);
  });

  it('probe of an endpoint that refuses, of no import, and of no name → exit codes 1, 1 and 2, and why', async () => {
    const { exportAtEast, importReady, closedPort } = pair.stage;
    await exportAtEast('refusing', { endpoints: `127.0.0.1:${await closedPort()}` });
    await importReady('store/refusing');
    const refused = await run('probe', 'store/refusing:80');
    assert.deepEqual([refused.code, /NO_USABLE_SOURCE/.test(refused.out)], [1, true], refused.out);
    const missing = await run('probe', 'store/nothing:80');
    assert.deepEqual([missing.code, /ERR_NOT_FOUND.*Fix: .*explain/.test(missing.error)], [1, true], missing.error);
    assert.equal((await run('probe', 'nothing')).code, 2);
  });

  it('status --fabric → the peer, its certificate and its records; a peer that is away says since when', async () => {
    const { write, closedPort } = pair.stage;
    const gateways = [{ host: '127.0.0.1', port: await closedPort() }];
    const metadata = { name: 'north', namespace: 'clusterlink-system' };
    await write(
      'west',
      stringify({ apiVersion: 'clusterlink.net/v1alpha1', kind: 'Peer', metadata, spec: { gateways } }),
    );
    const [east, north] = await waitFor('both', async () => {
      const { peers } = JSON.parse((await run('status', '--fabric', '-o', 'json')).out) as FabricReport;
      return peers.length === 2 && peers.every(({ since }) => since !== '') ? peers : undefined;
    });
    assert.deepEqual([east?.name, east?.reachable, east?.records, east?.recordsAgeSeconds], ['east', true, 3, 0]);
    assert.ok(Date.parse(east?.certificateExpires ?? '') > Date.now());
    assert.ok(Date.parse(east?.since ?? '') <= Date.now());
    assert.deepEqual([north?.reachable, north?.reason, north?.recordsAgeSeconds], [false, 'PEER_UNREACHABLE', null]);
  });

  it('gather → an archive for this user alone, and no key or token of the peer in it', async () => {
    const keyFile = join(pair.root, 'fabric', 'west', 'key.pem');
    const key = await readFile(keyFile, 'utf8');
    // Somebody put them where they do not belong.
    const token = 'Bearer s3cr3t-t0ken.abc_123';
    const annotations = { 'example.com/key': key, 'example.com/header': token };
    const metadata = { name: 'leaky', namespace: 'own', annotations };
    const spec = { ports: [{ protocol: 'TCP', port: 80 }] };
    await pair.stage.write('west', stringify({ apiVersion: 'v1', kind: 'Service', metadata, spec }));
    await waitFor('the Service is there', () => pair.west.get('Service', 'own/leaky'));

    const out = join(pair.root, `gathered-${process.pid}.tar.gz`);
    assert.equal((await run('gather', '--out', out)).code, 0);
    assert.equal((await stat(out)).mode & 0o777, 0o600);
    const archive = gunzipSync(await readFile(out)).toString('latin1');
    for (const name of ['about.json', 'status.json', 'fabric.json', 'metrics.txt', 'objects/ImportBinding.json']) {
      assert.ok(archive.includes(name), name);
    }
    assert.match(archive, /clusterlink_mcs_/);
    assert.match(archive, /"leaky"/);
    assert.doesNotMatch(archive, /PRIVATE KEY|s3cr3t/);
    for (const secret of [key, ...(await privateKeysBelow(state))]) {
      for (const line of secret.split('\n').filter((each) => each.length > 40)) assert.ok(!archive.includes(line));
    }
    const script = '"$0" "$1" gather --out - --state "$2" | tar -tzf -';
    const listed = await promisify(execFile)('sh', ['-c', script, process.execPath, MAIN, state]);
    assert.deepEqual([listed.stdout.split('\n')[0], /^-: \d+ files/.test(listed.stderr)], ['about.json', true]);
    const again = await run('gather', '--out', out);
    assert.deepEqual([again.code, /ERR_ALREADY_EXISTS/.test(again.error)], [1, true]);
  });
});

/** Every file with a private key below a folder. */
async function privateKeysBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const texts = await Promise.all(
    entries.filter((entry) => entry.isFile()).map((entry) => readFile(join(entry.parentPath, entry.name), 'utf8')),
  );
  return texts.flatMap((text) => text.match(/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?-----END/g) ?? []);
}
