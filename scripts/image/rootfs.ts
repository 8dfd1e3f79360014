/** The root folder of the image: the bundle, what it reads, Node, Node's libraries. Nothing else: no shell, no tool. */
import { chmod, copyFile, cp, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { bundleProgram, PROJECT, type Bundle } from './bundle.ts';
import { librariesOf } from './libraries.ts';

export const USER_ID = 65_532;
export const PROGRAM = '/app/clusterlink-mcs.mjs';
const WORKER = '/app/clusterlink-mcs-worker.mjs';
const DNS_THREAD = '/app/clusterlink-mcs-dns.mjs';
const READ_ONLY = 0o444;
const EXECUTABLE = 0o555;
/** Anybody may write here, nobody removes what is another's. */
const SHARED_FOLDER = 0o1777;

/** Read while the program runs, at the same places as in the project. */
const DATA = ['coredns', 'crds', 'manifests', 'src/api/builtin'];
/** Mount points: the root is read-only. */
const FOLDERS = ['dev', 'etc/clusterlink-mcs', 'proc', 'run', 'sys', 'tmp', 'var/lib/clusterlink-mcs'];
/** For "kubectl exec": an interpreter is found by its path, and in the image there is no env. */
const COMMAND = 'clusterlink-mcs';
const FILES: Readonly<Record<string, string>> = {
  'etc/passwd': `root:x:0:0:root:/:/none\nclusterlink-mcs:x:${USER_ID}:${USER_ID}:clusterlink-mcs:/:/none\n`,
  'etc/group': `root:x:0:\nclusterlink-mcs:x:${USER_ID}:\n`,
  'etc/nsswitch.conf': 'hosts: files dns\n',
  [`bin/${COMMAND}`]: `#!/bin/node\nimport('${PROGRAM}');\n`,
  // The program starts itself by this name ("demo" runs three of it).
  'app/src/main.ts': "import '../clusterlink-mcs.mjs';\n",
  'app/src/gateway/workers/entry.ts': "import '../../../clusterlink-mcs-worker.mjs';\n",
  'app/src/dns/thread-entry.ts': "import '../../clusterlink-mcs-dns.mjs';\n",
};

/** Makes the folder anew. @throws {Error} when a file that the sources name would not be in it. */
export async function assembleRootfs(rootfs: string): Promise<void> {
  await rm(rootfs, { recursive: true, force: true });
  for (const folder of FOLDERS) await mkdir(join(rootfs, folder), { recursive: true });
  for (const [path, text] of Object.entries(FILES)) await put(join(rootfs, path), text);
  for (const folder of DATA) await cp(join(PROJECT, folder), join(rootfs, 'app', folder), { recursive: true });

  const bundle = await bundleProgram('src/main.ts');
  const worker = await bundleProgram('src/gateway/workers/entry.ts');
  await put(join(rootfs, PROGRAM), bundle.text);
  await put(join(rootfs, WORKER), worker.text);
  const dnsThread = await bundleProgram('src/dns/thread-entry.ts');
  await put(join(rootfs, DNS_THREAD), dnsThread.text);
  // What workers and threads are made of is in the program too.
  await copyLicences(join(rootfs, 'app/licences'), bundle);
  for (const need of [...bundle.needs, ...worker.needs, ...dnsThread.needs]) {
    if (!existsSync(join(rootfs, 'app', need)))
      throw new Error(`the program reads ${need}: add it to DATA of rootfs.ts`);
  }

  const node = join(PROJECT, `node_modules/node-${process.platform}-${process.arch}`);
  await copy(join(node, 'bin/node'), join(rootfs, 'bin/node'));
  await copy(join(node, 'LICENSE'), join(rootfs, 'app/licences/node.txt'));
  for (const library of librariesOf(join(node, 'bin/node'))) await copy(library, join(rootfs, library));

  await setModes(rootfs);
  await chmod(join(rootfs, 'tmp'), SHARED_FOLDER);
}

async function copyLicences(folder: string, { packages }: Bundle): Promise<void> {
  await mkdir(folder, { recursive: true });
  await copy(join(PROJECT, 'LICENSE'), join(folder, 'clusterlink-mcs.txt'));
  for (const path of packages) {
    const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length).replace('/', '+');
    const files = (await readdir(join(PROJECT, path))).filter((file) => /^(licen[cs]e|notice)/i.test(file)).sort();
    for (const file of files) await copy(join(PROJECT, path, file), join(folder, `${name}.${file}`));
  }
}

async function put(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}

async function copy(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  await copyFile(from, to);
}

/** Nobody writes, and only programs are executed, whatever the modes on this machine are. */
async function setModes(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await setModes(path);
    else await chmod(path, isProgram(entry.name) ? EXECUTABLE : READ_ONLY);
  }
}

function isProgram(name: string): boolean {
  return name === 'node' || name === COMMAND || /\.so(\.\d+)*$/.test(basename(name));
}
