/** What an administrator applies, `coredns/`: read, filled in, and made to run on this machine. */
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import type { CorefilePorts } from './coredns.ts';

const FOLDER = fileURLToPath(new URL('../../coredns/', import.meta.url));
/** Stands in every file for the one value that has to be filled in (an address that nobody has: RFC 5737). */
export const PLACEHOLDER = '192.0.2.53';

/** Every file but the page, by name. */
export async function corednsFiles(): Promise<readonly string[]> {
  return (await readdir(FOLDER)).filter((name) => name !== 'README.md').sort();
}

export async function readCorednsFile(name: string): Promise<string> {
  return readFile(`${FOLDER}${name}`, 'utf8');
}

/** With the address of a responder where the placeholder was. */
export async function fillIn(name: string, address: string): Promise<string> {
  return (await readCorednsFile(name)).replaceAll(PLACEHOLDER, address);
}

/** @throws {Error} for a text that is not YAML. */
export function parseObjects(text: string): readonly Record<string, unknown>[] {
  return parseAllDocuments(text).map((document) => {
    if (document.errors[0] !== undefined) throw document.errors[0];
    return document.toJS() as Record<string, unknown>;
  });
}

/** The Corefile, or the part of one, that is in a file; undefined for one that holds none. */
export async function readCorefile(name: string): Promise<string | undefined> {
  const text = await readCorednsFile(name);
  if (!name.endsWith('.yaml')) return text;
  const texts = parseObjects(text).flatMap((object) => {
    const { data = {}, corefile } = object as { data?: Record<string, string>; corefile?: string };
    const isCorefile = (key: string): boolean => key === 'Corefile' || key.endsWith('.server');
    return [
      ...(corefile === undefined ? [] : [corefile]),
      ...Object.keys(data)
        .filter(isCorefile)
        .map((key) => data[key]),
    ];
  });
  return texts[0];
}

/** Server blocks by their first line, comments left out: `clusterset.local:53`. */
export function blocksOf(corefile: string): ReadonlyMap<string, string> {
  const blocks = [...corefile.matchAll(BLOCK)];
  return new Map(blocks.map(([, head = '', body = '']) => [head, body]));
}

/** First line and the rest of a server block. */
const BLOCK = /^(\S[^\n]*) \{\n([^]*?)^\}$/gm;

export interface Surroundings {
  /** `127.0.0.1:5353` */
  readonly responder: string;
  /** For the `kubernetes` plugin, which in a pod finds its way by itself. */
  readonly kubeconfig: string;
}

/** The same Corefile at free ports of the loopback address, beside an API server and a responder of a test. */
export async function toLocal(
  corefile: string,
  { responder, kubeconfig }: Surroundings,
  { dns, free }: CorefilePorts,
): Promise<string> {
  const [health, metrics] = await Promise.all([free(), free()]);
  return (
    corefile
      .replaceAll(PLACEHOLDER, responder)
      .replaceAll('__PILLAR__LOCAL__DNS__', '127.0.0.1')
      .replaceAll(BLOCK, (_, head: string, body: string) => {
        const bind = /^ +bind /m.test(body) ? '' : '    bind 127.0.0.1\n';
        return `${head.replaceAll(':53', `:${dns}`)} {\n${bind}${body}}`;
      })
      .replaceAll(/^( +kubernetes [^\n]*\{)$/gm, `$1\n        kubeconfig ${kubeconfig}`)
      .replaceAll(/^( +)health \{$/gm, `$1health 127.0.0.1:${health} {`)
      .replaceAll(/^( +)prometheus :\d+$/gm, `$1prometheus 127.0.0.1:${metrics}`)
      // Nothing of a test leaves this machine.
      .replaceAll('/etc/resolv.conf', '127.0.0.1:9')
  );
}
