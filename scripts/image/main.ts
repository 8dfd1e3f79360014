/**
 * `npm run image [-- --out FOLDER]`: makes the container image without a daemon and without root.
 *
 * FOLDER (default `build/image`) gets `rootfs/`, which `Containerfile` puts into an image of any OCI builder, and
 * `clusterlink-mcs.tar`, the same as an archive to load.
 */
import { mkdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import manifest from '../../package.json' with { type: 'json' };
import { writeArchive } from './archive.ts';
import { PROJECT } from './bundle.ts';
import { assembleRootfs, PROGRAM } from './rootfs.ts';

const { values } = parseArgs({ options: { out: { type: 'string' } } });
const folder = resolve(values.out ?? join(PROJECT, 'build/image'));
const rootfs = join(folder, 'rootfs');
const out = join(folder, 'clusterlink-mcs.tar');
const { name, version } = manifest;
const tags = [`${name}:${version}`, `docker.io/library/${name}:${version}`];

await mkdir(folder, { recursive: true });
await assembleRootfs(rootfs);
const digest = await writeArchive({ rootfs, out, tags, version });
const mebibytes = async (path: string): Promise<string> => `${((await stat(path)).size / 2 ** 20).toFixed(1)} MiB`;
console.log(`${rootfs}: program ${await mebibytes(join(rootfs, PROGRAM))}`);
console.log(`${out}: ${await mebibytes(out)}, ${tags[0]}, sha256:${digest}`);
