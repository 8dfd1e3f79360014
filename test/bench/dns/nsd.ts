/** NSD, the C server that is made for speed: what a responder could be. */
import { spawnSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '#test/support/standalone.ts';
import { pin } from './cpus.ts';
import { LOOPBACK, type Candidate } from './system.ts';
import { toNsdConfig, toZoneFile } from './zone-file.ts';

/** Debian has it where the path of users does not lead. */
const PROGRAMS = ['/usr/sbin/nsd', 'nsd'];

export function findNsd(programs: readonly string[] = PROGRAMS): Candidate {
  const found = programs.map((path) => readVersion(path)).find((each) => each !== undefined);
  if (found === undefined) return { name: 'nsd', absent: 'NSD is not installed: apt-get install nsd' };
  const { path, version } = found;
  return {
    name: 'nsd',
    version,
    settings: [
      'one server process, a zone file, minimal responses, no rate limit, buffers of 4 MiB; all processes count',
    ],
    answers: 'names',
    async start({ processes, cpus, folder, imports }) {
      const home = join(folder, 'nsd');
      await mkdir(home);
      const [zoneFile, file, port] = [join(home, 'zone'), join(home, 'nsd.conf'), await freePort()];
      await writeFile(zoneFile, toZoneFile(imports));
      await writeFile(file, toNsdConfig({ host: LOOPBACK, port, folder: home, zoneFile }));
      const started = processes.start({ name: 'nsd', ...pin(cpus.responder, path, ['-d', '-c', file]) });
      await started.whenListening([port]);
      return { place: { host: LOOPBACK, port }, pids: [started.pid] };
    },
  };
}

function readVersion(path: string): { readonly path: string; readonly version: string } | undefined {
  const { stdout, stderr } = spawnSync(path, ['-v'], { encoding: 'utf8', timeout: 10_000 });
  const version = /^NSD version (\S+)/m.exec(`${stdout}${stderr}`)?.[1];
  return version === undefined ? undefined : { path, version };
}
