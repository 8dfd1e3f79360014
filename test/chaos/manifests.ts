/** The manifests of the three peers, and what can befall a folder of them. */
import { cp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify, parseAllDocuments } from 'yaml';
import { exportManifest, peerManifest, policyManifest, ruleManifest } from '#test/support/standalone.ts';

export interface PeerAddress {
  readonly name: string;
  readonly gatewayPort: number;
}

export interface ExportedService {
  readonly name: string;
  readonly servicePort: number;
  readonly endpointPort: number;
}

export interface ManifestsOptions {
  readonly peers: readonly PeerAddress[];
  readonly exports: readonly ExportedService[];
  /** Imports the exports of these peers. */
  readonly importsFrom: readonly string[];
}

/** File names with their text: a file for each Peer, each export, and the rule. */
export function makeManifests({ peers, exports, importsFrom }: ManifestsOptions): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const peer of peers) files.set(peerFile(peer.name), peerManifest(peer));
  for (const { name, servicePort, endpointPort } of exports) {
    files.set(`export-${name}.yaml`, exportManifest(name, servicePort, endpointPort));
  }
  if (importsFrom.length > 0) {
    const rule = ruleManifest({ peers: { names: importsFrom } });
    files.set('rule.yaml', `${rule}---\n${stringify(policyManifest('store'))}`);
  }
  return new Map([...files].map(([name, text]) => [name, toFlow(text)]));
}

export function peerFile(name: string): string {
  return `peer-${name}.yaml`;
}

/**
 * Braces around every document: half of such a file can be told from a whole one. (Half of a file in block style, cut between
 * two lines, is a whole file that declares less; nobody can tell.)
 */
function toFlow(text: string): string {
  return parseAllDocuments(text)
    .map((document) => JSON.stringify(document.toJS()))
    .join('\n---\n');
}

export type Undo = () => Promise<void>;

/** Another folder with the same files takes its place. */
export async function replaceFolder(folder: string): Promise<void> {
  const [next, last] = [`${folder}.next`, `${folder}.last`];
  await cp(folder, next, { recursive: true });
  await rename(folder, last);
  await rename(next, folder);
  await rm(last, { recursive: true });
}

export async function emptyFolder(folder: string): Promise<Undo> {
  const texts = await readFiles(folder);
  for (const name of texts.keys()) await rm(join(folder, name));
  return () => writeFiles(folder, texts);
}

/** @param cutAt - in parts of a million; never between two documents. */
export async function halveFile({
  folder,
  file,
  cutAt,
}: {
  folder: string;
  file: string;
  cutAt: number;
}): Promise<Undo> {
  const text = await readFile(join(folder, file), 'utf8');
  let end = Math.max(2, Math.floor((text.length * cutAt) / 1_000_000));
  // A text that ends with a brace, or between documents, is whole as far as it goes: one byte before it is not.
  while (end > 2 && /[}\s-]$/.test(text.slice(0, end))) end--;
  await writeFile(join(folder, file), text.slice(0, end));
  return () => writeFile(join(folder, file), text);
}

export async function removeFile(folder: string, file: string): Promise<Undo> {
  const text = await readFile(join(folder, file), 'utf8');
  await rm(join(folder, file));
  return () => writeFile(join(folder, file), text);
}

async function readFiles(folder: string): Promise<ReadonlyMap<string, string>> {
  const names = await readdir(folder);
  return new Map(
    await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name), 'utf8')] as const)),
  );
}

export async function writeFiles(folder: string, texts: ReadonlyMap<string, string>): Promise<void> {
  for (const [name, text] of texts) await writeFile(join(folder, name), text);
}
