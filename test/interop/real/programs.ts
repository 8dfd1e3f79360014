/** ClusterLink's programs as processes, each in its network namespace and with its own view of /etc/ssl and /run. */
import { spawn } from 'node:child_process';
import { get } from 'node:http';
import { waitFor } from '#test/support/wait.ts';
import type { Namespace } from './network.ts';
import type { SiteFiles } from './site-files.ts';

const READY_PORT = 4445;
const READY_WAIT_MS = 60_000;
const PROBE_MS = 1_000;
/** Of what it prints: the end, for the message of a failure. */
const OUTPUT_CHARS_MAX = 2_000;

export interface ProgramOptions {
  readonly namespace: Namespace;
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly files?: SiteFiles;
  /** Put where cl-dataplane looks for it. */
  readonly envoy?: string;
}

export interface Program {
  readonly namespace: Namespace;
  /** `ip`, `unshare` and `sh` each become what they start: the id is the program's own. Undefined when it could not be started. */
  readonly pid: number | undefined;
  /** The end of what it has printed. */
  output(): string;
  hasEnded(): boolean;
}

/** It ends with its namespace. */
export function startProgram({ namespace, command, environment = {}, files, envoy }: ProgramOptions): Program {
  const steps = files === undefined ? [] : [...viewOf(files), ...(envoy === undefined ? [] : envoyAt(envoy))];
  const script = [...steps, `exec ${command.map(quote).join(' ')}`].join('\n');
  const child = spawn('ip', ['netns', 'exec', namespace.name, 'unshare', '-m', 'sh', '-ec', script], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output = (output + text).slice(-OUTPUT_CHARS_MAX)));
  }
  let hasEnded = false;
  child.once('exit', () => (hasEnded = true)).once('error', ({ message }) => (output += message));
  return { namespace, pid: child.pid, output: () => output, hasEnded: () => hasEnded };
}

/** Both of ClusterLink's programs answer 200 on their readiness port once they serve. */
export async function whenReady(program: Program, what: string): Promise<void> {
  await whenTrue(program, what, () => probe(program.namespace.address));
}

/** @throws {Error} with the end of its output, when it ends before. */
export async function whenTrue(
  { output, hasEnded }: Program,
  what: string,
  isReady: () => boolean | Promise<boolean>,
): Promise<void> {
  await waitFor(`${what} is ready`, async () => hasEnded() || (await isReady()), READY_WAIT_MS);
  if (hasEnded()) throw new Error(`${what} has ended: ${output()}`);
}

function probe(host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get({ host, port: READY_PORT, path: '/', timeout: PROBE_MS }, (answer) => {
      answer.resume();
      resolve(answer.statusCode === 200);
    });
    request.on('error', () => resolve(false)).on('timeout', () => request.destroy());
  });
}

function viewOf({ ssl, secrets }: SiteFiles): string[] {
  return [
    'mount --make-rprivate /',
    `mount --bind ${quote(ssl)} /etc/ssl`,
    'mount -t tmpfs tmpfs /run',
    'mkdir -p /run/secrets',
    `mount --bind ${quote(secrets)} /run/secrets`,
    // /var/run is a link to /run on most systems; where it is not, it is made one.
    '[ -e /var/run/secrets ] || { mkdir -p /var/run; mount --bind /run /var/run; }',
  ];
}

/** cl-dataplane starts /usr/local/bin/envoy. Hot restart goes over sockets that two Envoys of one machine would share. */
function envoyAt(file: string): string[] {
  return [
    'mkdir -p /run/envoy',
    `cp ${quote(file)} /run/envoy/real`,
    `printf '#!/bin/sh\\nexec /run/envoy/real --disable-hot-restart "$@"\\n' > /run/envoy/envoy`,
    'chmod 755 /run/envoy/envoy /run/envoy/real',
    'mount --bind /run/envoy /usr/local/bin',
  ];
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
