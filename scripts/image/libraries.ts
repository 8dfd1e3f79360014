/** The shared libraries that a program needs, at the paths where its loader looks for them. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** What glibc before 2.34 loads when a host name is looked up, which no program is linked to. */
const NAME_SERVICE = ['libnss_dns.so.2', 'libnss_files.so.2', 'libresolv.so.2'];

/** Absolute paths, the loader among them. @throws {Error} when one is not on this machine. */
export function librariesOf(program: string): string[] {
  const listed = execFileSync('ldd', [program], { encoding: 'utf8', env: { PATH: process.env['PATH'], LC_ALL: 'C' } });
  const missing = /^\s*(\S+) => not found/m.exec(listed)?.[1];
  if (missing !== undefined) throw new Error(`${program} needs ${missing}, which this machine does not have`);
  const libraries = [...listed.matchAll(/(?:=>|^)\s*(\/\S+) \(0x/gm)].map(([, path = '']) => path);
  const libc = libraries.find((path) => /\/libc\.so\.\d+$/.test(path));
  if (libc === undefined) throw new Error(`${program} is not linked to a libc that ldd names`);
  const beside = NAME_SERVICE.map((name) => join(dirname(libc), name)).filter((path) => existsSync(path));
  return [...new Set([...libraries, ...beside])].sort();
}
