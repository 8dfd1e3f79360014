/** What the tests read of one API server, a hundred times a second if need be: through one `kubectl proxy`, with the rights of its user. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { KINDS, type KindMap, type KindName } from '#src/api/kinds.ts';
import type { ObjectKey } from '#src/api/object.ts';
import { collectionPath, objectPath } from '#src/store/kubernetes/paths.ts';
import { waitFor } from '#test/support/wait.ts';
import type { Member } from './members.ts';

const REQUEST_TIMEOUT_MS = 10_000;
const POLL_INTERVAL_MS = 100;
const UNTIL_TIMEOUT_MS = 20_000;

export interface Api {
  get<K extends KindName>(kind: K, key: ObjectKey): Promise<KindMap[K] | undefined>;
  /** Of all namespaces unless one is given. */
  list<K extends KindName>(kind: K, namespace?: string): Promise<KindMap[K][]>;
  /** Waits until the object is as wanted, absent ones included. */
  until<K extends KindName>(
    kind: K,
    key: ObjectKey,
    isSo: (object: KindMap[K] | undefined) => boolean,
    timeoutMs?: number,
  ): Promise<KindMap[K] | undefined>;
  /** Server-side apply as the user that the tests are, by force. */
  apply(...objects: readonly object[]): Promise<void>;
  /** Asks for its deletion; of an object that is not there too. */
  remove(kind: string, key: ObjectKey): Promise<void>;
  /** What a path answers. @throws {Error} for an answer that is no success. */
  read(path: string): Promise<string>;
  /** Metrics or probes of a pod. */
  readPod(key: ObjectKey, portAndPath: `${number}${string}`): Promise<string>;
  close(): Promise<void>;
}

/** Waits on a condition that costs a request. */
export function eventually<T>(
  what: string,
  check: () => Promise<T>,
  timeoutMs = UNTIL_TIMEOUT_MS,
): Promise<NonNullable<T>> {
  return waitFor(
    what,
    async () => {
      const answer = await check().catch(async (error: unknown) => {
        await sleep(POLL_INTERVAL_MS);
        throw error;
      });
      if (answer === undefined || answer === false) await sleep(POLL_INTERVAL_MS);
      return answer;
    },
    timeoutMs,
  );
}

export async function openApi(member: Member): Promise<Api> {
  const folder = await mkdtemp(join(tmpdir(), 'clusterlink-mcs-proxy-'));
  const socketPath = join(folder, 'socket');
  const proxy = member.spawnKubectl(['proxy', `--unix-socket=${socketPath}`]);
  const [line] = (await once(createInterface(proxy.stdout), 'line')) as [string];
  if (!line.startsWith('Starting to serve')) throw new Error(`kubectl proxy: ${line}`);
  proxy.stderr.resume();

  async function ask(path: string): Promise<{ readonly status: number; readonly text: string }> {
    const asked = request({ socketPath, path, signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) });
    asked.end();
    const [response] = (await once(asked, 'response')) as [NodeJS.ReadableStream & { statusCode: number }];
    let text = '';
    response.setEncoding('utf8');
    for await (const chunk of response) text += chunk as string;
    return { status: response.statusCode, text };
  }
  async function read(path: string): Promise<string> {
    const { status, text } = await ask(path);
    if (status >= 300) throw new Error(`${member.name} ${path}: ${status} ${text.slice(0, 500)}`);
    return text;
  }
  const get: Api['get'] = async (kind, key) => {
    const { status, text } = await ask(objectPath(kind, KINDS[kind].version, key));
    if (status === 404) return undefined;
    if (status >= 300) throw new Error(`${member.name} ${kind}: ${status} ${text.slice(0, 500)}`);
    return JSON.parse(text) as KindMap[typeof kind];
  };
  return {
    get,
    read,
    readPod: ({ namespace, name }, portAndPath) => {
      const [, port = '', path = ''] = /^(\d+)(.*)$/.exec(portAndPath) ?? [];
      return read(`/api/v1/namespaces/${namespace}/pods/${name}:${port}/proxy${path}`);
    },
    async list(kind, namespace) {
      const place = namespace === undefined ? {} : { namespace };
      const text = await read(collectionPath({ kind, version: KINDS[kind].version, ...place }));
      return (JSON.parse(text) as { items: KindMap[typeof kind][] }).items;
    },
    async until(kind, key, isSo, timeoutMs) {
      let last: KindMap[typeof kind] | undefined;
      await eventually(
        `${member.name}: ${kind} ${key.namespace}/${key.name}`,
        async () => {
          last = await get(kind, key);
          if (isSo(last)) return true;
          // waitFor shows what was last there.
          await sleep(POLL_INTERVAL_MS);
          throw new Error(JSON.stringify(last ?? 'absent'));
        },
        timeoutMs,
      );
      return last;
    },
    async apply(...objects) {
      const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
      const command = ['apply', '--server-side', '--force-conflicts', '--field-manager=e2e', '-f', '-'];
      // A new namespace has its service account a moment later, and takes no pods until then.
      const { code, stderr } = await eventually('pods are taken', async () => {
        const finished = await member.tryKubectl(command, { input });
        return /serviceaccount "\S+" not found/.test(finished.stderr) ? undefined : finished;
      });
      if (code !== 0) throw new Error(`${member.name}: ${stderr}`);
    },
    async remove(kind, { namespace, name }) {
      const place = namespace === '' ? [] : ['-n', namespace];
      await member.kubectl([...place, 'delete', kind, name, '--ignore-not-found', '--wait=false']);
    },
    async close() {
      proxy.kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
