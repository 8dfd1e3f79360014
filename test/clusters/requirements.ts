/** What real clusters need of the machine: one error that lists all that is missing. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { run } from './command.ts';

/** Debian's packages, each with the programs that are used of it; a path that starts with "/" is looked up as it is. */
export const DEBIAN_PACKAGES: Readonly<Record<string, readonly string[]>> = {
  'bind9-dnsutils': ['dig', 'nslookup'],
  'busybox-static': ['busybox'],
  conntrack: ['conntrack'],
  containerd: ['containerd', 'ctr'],
  'containernetworking-plugins': [join(process.env['CNI_BIN'] ?? '/usr/lib/cni', 'bridge')],
  curl: ['curl'],
  dash: ['dash'],
  iperf3: ['iperf3'],
  iproute2: ['ip'],
  iptables: ['iptables'],
  'iputils-ping': ['ping'],
  'netcat-openbsd': ['nc.openbsd'],
  nftables: ['nft'],
  openssl: ['openssl'],
  runc: ['runc'],
  socat: ['socat'],
};

const FOLDERS = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];

/** @throws {Error} that says everything that is missing at once. */
export async function checkRequirements(mkbin: string): Promise<void> {
  const problems: string[] = [];
  if (process.platform !== 'linux') problems.push('a Linux kernel');
  if (process.getuid?.() !== 0) problems.push('root (network, mount and process namespaces)');
  const missing = Object.entries(DEBIAN_PACKAGES).filter(([, programs]) => !programs.every(isProgram));
  if (missing.length > 0) {
    problems.push(`apt-get install --no-install-recommends ${missing.map(([name]) => name).join(' ')}`);
  }
  if (!isProgram('go') && (await run([mkbin, 'check', 'all'])).code !== 0) {
    problems.push('Go 1.26 or newer (https://go.dev/dl): Kubernetes is built once, in about 12 minutes');
  }
  if (problems.length > 0) throw new Error(`test clusters cannot run here. Missing: ${problems.join('; ')}`);
}

function isProgram(name: string): boolean {
  const paths = name.startsWith('/') ? [name] : FOLDERS.map((folder) => join(folder, name));
  return paths.some((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
