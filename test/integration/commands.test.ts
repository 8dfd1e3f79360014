/** The commands as a user types them: what they write, print, refuse, and end with. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { fileURLToPath } from 'node:url';
import { createFabricFiles, createPeerCertFiles } from '#src/fabric/files.ts';

const LAUNCHER = fileURLToPath(new URL('../../bin/clusterlink-mcs.mjs', import.meta.url));

describe('commands', () => {
  let folder: string;
  let store: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'clusterlink-mcs-test-'));
    await mkdir(join(folder, 'manifests'));
    store = `dir:${join(folder, 'manifests')}`;
    // Nothing listens at the discard port.
    await writeFile(
      join(folder, 'nobody.yaml'),
      `apiVersion: v1
kind: Config
current-context: nobody
clusters: [{ name: nobody, cluster: { server: 'https://127.0.0.1:9' } }]
users: [{ name: nobody, user: {} }]
contexts: [{ name: nobody, context: { cluster: nobody, user: nobody } }]
`,
    );
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  function run(...words: string[]): { code: number | null; out: string; error: string } {
    const { status, stdout, stderr } = spawnSync(process.execPath, [LAUNCHER, ...words], {
      encoding: 'utf8',
      cwd: folder,
    });
    return { code: status, out: stdout, error: stderr };
  }
  async function written(): Promise<Record<string, unknown>[]> {
    const files = (await readdir(join(folder, 'manifests'))).sort();
    const texts = await Promise.all(files.map((file) => readFile(join(folder, 'manifests', file), 'utf8')));
    return texts.flatMap((text) =>
      parseAllDocuments(text).map((document) => document.toJS() as Record<string, unknown>),
    );
  }

  it('export, allow and import → the manifests of the first share, which check finds in order', async () => {
    assert.equal(run('export', 'shop/db', '--store', store, '--port', '5432', '--endpoints', '127.0.0.1:5432').code, 0);
    assert.equal(
      run('allow', '--store', store, '--namespace', 'shop', '--export', 'shop/db', '--from-peer', 'west').code,
      0,
    );
    assert.equal(run('import', 'shop/db', '--store', store, '--from', 'east', '--as', 'store/db', '--allow').code, 0);
    const kinds = (await written()).map(({ kind }) => kind).sort();
    assert.deepEqual(kinds, ['AccessPolicy', 'AccessPolicy', 'ClusterImportRule', 'Service', 'ServiceExport']);
    const checked = run('check', join(folder, 'manifests'));
    assert.equal(checked.code, 0, checked.out + checked.error);
  });

  for (const words of [
    ['export', 'shop/db', '--port', '5432', '--endpoints', '127.0.0.1:5432'],
    ['import', 'shop/db', '--from', 'east', '--as', 'store/db', '--allow'],
    ['allow', '--namespace', 'shop', '--export', 'shop/db', '--from-peer', 'west'],
  ]) {
    it(`${words[0]} --dry-run → prints YAML and writes nothing`, async () => {
      const { code, out } = run(...words, '--store', store, '--dry-run');
      assert.equal(code, 0);
      assert.ok(parseAllDocuments(out).every((document) => document.errors.length === 0 && document.toJS() !== null));
      assert.deepEqual(await written(), []);
    });
  }

  it('the same export twice → refused, names the file, nothing is overwritten', async () => {
    const words = ['export', 'shop/db', '--store', store, '--port', '5432', '--endpoints', '127.0.0.1:5432'];
    assert.equal(run(...words).code, 0);
    const before = await written();
    const { code, error } = run(...words);
    assert.equal(code, 1);
    assert.match(error, /ERR_ALREADY_EXISTS .*\.yaml/);
    assert.match(error, /Fix: /);
    assert.deepEqual(await written(), before);
  });

  for (const command of [
    ['demo'],
    ['create', 'fabric'],
    ['create', 'peer-cert'],
    ['request', 'cert'],
    ['sign', 'cert'],
    ['renew', 'cert'],
    ['renew', 'crl'],
    ['revoke', 'peer'],
    ['run'],
    ['export'],
    ['import'],
    ['allow'],
    ['status'],
    ['explain'],
    ['probe'],
    ['gather'],
    ['get'],
    ['check'],
    ['test', 'policy'],
  ]) {
    it(`${command.join(' ')} --help → teaches with an example`, () => {
      const { code, out } = run(...command, '--help');
      assert.equal(code, 0);
      assert.match(out, /Example/);
      assert.match(out, /npx clusterlink-mcs /);
    });
  }

  const refused = [
    { words: ['exprt'], code: 2, message: /export/ },
    { words: ['export', 'db', '--store', 'dir:x'], code: 2, message: /NAMESPACE\/NAME/ },
    { words: ['export', 'shop/db', '--store', 'x'], code: 2, message: /dir:PATH/ },
    { words: ['export', 'shop/db', '--store', 'dir:x', '--port', '70000'], code: 2, message: /--port/ },
    { words: ['allow', '--store', 'dir:x'], code: 2, message: /--namespace/ },
    { words: ['status', '-o', 'xml'], code: 2, message: /--output/ },
    { words: ['status', '--state', './nowhere'], code: 3, message: /ERR_ADMIN_UNREACHABLE .*Fix: / },
    { words: ['status', '--fabric', '--state', './nowhere'], code: 3, message: /ERR_ADMIN_UNREACHABLE .*Fix: / },
    { words: ['probe', 'a/b:1', '--state', './nowhere'], code: 3, message: /ERR_ADMIN_UNREACHABLE .*Fix: / },
    { words: ['gather', '--out', 'a.tar.gz', '--state', './nowhere'], code: 3, message: /ERR_ADMIN_UNREACHABLE / },
    { words: ['gather', '--state', './nowhere'], code: 2, message: /--out/ },
    { words: ['explain', 'pod', 'x:1'], code: 2, message: /host/ },
    { words: ['check', './nowhere'], code: 2, message: /nowhere/ },
    { words: ['check'], code: 2, message: /ERR_USAGE .*Fix: .*--context/ },
    { words: ['check', './manifests', '--context', 'east'], code: 2, message: /ERR_USAGE .*Fix: .*either/ },
    { words: ['check', '--context', 'east', '--kubeconfig', './nowhere'], code: 2, message: /ERR_CONFIG .*Fix: / },
    { words: ['check', '--kubeconfig', './nobody.yaml'], code: 3, message: /ERR_STORE_UNAVAILABLE / },
    { words: ['run', '--store', 'dir:./manifests', '--state', './state'], code: 2, message: /ERR_CONFIG .*peer/s },
  ];
  for (const { words, code, message } of refused) {
    it(`${words.join(' ')} → exit code ${code} and what to do`, () => {
      const ended = run(...words);
      assert.deepEqual([ended.code, message.test(ended.error)], [code, true], ended.error);
    });
  }

  it('create fabric and peer-cert → files as ClusterLink lays them out; a second time is refused', async () => {
    assert.equal(run('create', 'fabric', '--name', 'shops').code, 0);
    assert.equal(run('create', 'peer-cert', '--fabric', 'shops', '--name', 'east').code, 0);
    const files = (await readdir(join(folder, 'shops', 'east'))).sort();
    assert.ok(['cert.pem', 'key.pem'].every((file) => files.includes(file)));
    const verified = spawnSync(
      'openssl',
      [
        'verify',
        '-x509_strict',
        '-CAfile',
        join(folder, 'shops', 'cert.pem'),
        join(folder, 'shops', 'east', 'cert.pem'),
      ],
      { encoding: 'utf8' },
    );
    assert.equal(verified.status, 0, verified.stderr);
    assert.equal(run('create', 'fabric', '--name', 'shops').code, 1);
    assert.equal(run('create', 'peer-cert', '--fabric', 'shops', '--name', 'East').code, 2);
  });

  it('request and sign cert → a certificate for a key that stays; both say which key', () => {
    const fingerprintIn = (text: string): string | undefined =>
      /SHA-256 of (?:the|its) key: ([0-9a-f]{64})/.exec(text)?.[1];
    assert.equal(run('create', 'fabric', '--name', 'shops').code, 0);
    const asked = run('request', 'cert', 'east', '--out', 'shops');
    assert.deepEqual([asked.code, asked.out], [0, 'shops/east/request.pem\nshops/east/key.pem\n'], asked.error);
    const sign = ['sign', 'cert', 'shops/east/request.pem', '--fabric', 'shops'];
    assert.equal(run(...sign, '--days', '0').code, 2);
    assert.equal(run(...sign, '--peer', 'west').code, 1);
    const signed = run(...sign, '--peer', 'east', '--days', '10');
    assert.equal(signed.code, 0, signed.error);
    assert.equal(fingerprintIn(signed.error), fingerprintIn(asked.error));
  });

  it('renew cert → another certificate in its place; --dry-run writes none', async () => {
    const east = join(folder, 'shops', 'east');
    await createFabricFiles({ path: folder, fabric: 'shops' });
    await createPeerCertFiles({ path: folder, fabric: 'shops', peer: 'east' });
    const texts = (): Promise<string[]> =>
      Promise.all(['cert.pem', 'key.pem'].map((file) => readFile(join(east, file), 'utf8')));
    const [cert, key] = await texts();
    assert.equal(run('renew', 'cert', 'east', '--fabric', 'shops', '--dry-run').code, 0);
    assert.deepEqual(await texts(), [cert, key]);
    assert.equal(run('renew', 'cert', 'east', '--fabric', 'shops', '--new-key').code, 0);
    const [newCert, newKey] = await texts();
    assert.ok(newCert !== cert && newKey !== key);
  });

  it('revoke peer → crl.pem with its certificate; --dry-run writes none; renew crl → a new date', async () => {
    await createFabricFiles({ path: folder, fabric: 'shops' });
    await createPeerCertFiles({ path: folder, fabric: 'shops', peer: 'east' });
    const where = ['--fabric', 'shops'];
    const list = (): Promise<string> => readFile(join(folder, 'shops', 'crl.pem'), 'utf8');
    const dry = run('revoke', 'peer', 'east', ...where, '--dry-run');
    assert.equal(dry.code, 0, dry.error);
    assert.match(dry.error, /^Revoked: [0-9a-f]{31,32}\. The list has 1/);
    await assert.rejects(list(), { code: 'ENOENT' });
    const { code, out, error } = run('revoke', 'peer', 'east', ...where, '--serial', 'a1', '--serial', 'b2');
    assert.equal(code, 0, error);
    assert.equal(out, `${join('shops', 'crl.pem')}\n`);
    assert.match(error, /The list has 3[\s\S]*Next: carry .* "fabric\.crl"/);
    const before = await list();
    assert.equal(run('renew', 'crl', ...where).code, 0);
    assert.notEqual(await list(), before);
  });
});
