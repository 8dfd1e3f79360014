/** A bridge of this machine, and network namespaces on it: the real programs have fixed ports, so each gets a network of its own. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { startReaper } from '#test/support/api-server/reaper.ts';

const run = promisify(execFile);
const COMMAND_MS = 10_000;
/** Ends what runs in our namespaces, and takes namespaces and bridge away; also when this process was killed. */
const REAP =
  'for ns in $(ip netns list | cut -d" " -f1 | grep "^$1-"); do ' +
  'for pid in $(ip netns pids "$ns"); do kill -9 "$pid"; done; ip netns del "$ns"; done; ip link del "$1"';

export interface Network {
  /** This machine's address on the bridge. */
  readonly host: string;
  addNamespace(): Promise<Namespace>;
  close(): Promise<void>;
}

export interface Namespace {
  readonly name: string;
  readonly address: string;
  /** Ends everything that runs in it, and takes it away. */
  close(): Promise<void>;
}

/** Of a pair of veth, the largest that Linux takes. */
export const MTU_MAX = 65_535;
/** The third byte of all addresses is one; the first of them is this machine's. */
const NAMESPACES_MAX = 250;

/** @param options.mtu - of each namespace's way to the bridge; default Ethernet's 1,500. */
export async function makeNetwork({ mtu = 1_500 }: { readonly mtu?: number } = {}): Promise<Network> {
  const bridge = `cli${process.pid}`;
  // 198.18.0.0/15 is for tests of networks (RFC 2544); the third byte keeps two runs apart.
  const prefix = `198.19.${process.pid % 250}`;
  const reaper = startReaper(REAP, [bridge]);
  let count = 0;
  // The one that has been free for longest is taken first: nobody remembers whose it was.
  const free = Array.from({ length: NAMESPACES_MAX }, (_, index) => `${prefix}.${index + 2}`);
  await ip('link', 'add', bridge, 'type', 'bridge');
  await ip('addr', 'add', `${prefix}.1/24`, 'dev', bridge);
  await ip('link', 'set', bridge, 'up');
  return {
    host: `${prefix}.1`,
    async addNamespace() {
      const name = `${bridge}-${++count}`;
      const address = free.shift();
      if (address === undefined) throw new Error(`${NAMESPACES_MAX} namespaces are open`);
      await ip('netns', 'add', name);
      const far = ['peer', 'name', 'eth0', 'mtu', String(mtu), 'netns', name];
      await ip('link', 'add', name, 'mtu', String(mtu), 'type', 'veth', ...far);
      await ip('link', 'set', name, 'master', bridge, 'up');
      await ip('-n', name, 'link', 'set', 'lo', 'up');
      await ip('-n', name, 'addr', 'add', `${address}/24`, 'dev', 'eth0');
      await ip('-n', name, 'link', 'set', 'eth0', 'up');
      let isOpen = true;
      return {
        ...{ name, address },
        async close() {
          if (!isOpen) return;
          isOpen = false;
          await endAll(name);
          await ip('netns', 'del', name);
          free.push(address);
        },
      };
    },
    close: async () => void (await reaper.close()),
  };
}

async function endAll(namespace: string): Promise<void> {
  const pids = (await ip('netns', 'pids', namespace)).split('\n').filter((line) => line !== '');
  for (const pid of pids) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

async function ip(...args: string[]): Promise<string> {
  return (await run('ip', args, { timeout: COMMAND_MS })).stdout;
}
