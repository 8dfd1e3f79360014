/** Manifests into a peer's folder, and what the peer says of them. */
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Condition } from '../../../api/object.ts';
import { getObject } from '../ask.ts';
import { SETTLE_MS, type DemoContext } from '../profile.ts';
import { until } from '../until.ts';
import type { ClusterlinkPeer } from './peers.ts';

export type ClusterlinkContext = DemoContext<ClusterlinkPeer>;

/** File by file, each at once. */
export async function apply(
  { layout }: ClusterlinkContext,
  at: ClusterlinkPeer,
  files: Readonly<Record<string, string>>,
): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    const file = join(layout.peers[at].manifests, name);
    await writeFile(`${file}.draft`, text);
    await rename(`${file}.draft`, file);
  }
}

export interface WantedConditions {
  readonly at: ClusterlinkPeer;
  readonly kind: 'Export' | 'Import';
  /** `namespace/name`. */
  readonly key: string;
  /** Types of conditions that have to be True. */
  readonly wanted: readonly string[];
}

/** Waits for the conditions, and shows them. */
export async function showConditions(
  context: ClusterlinkContext,
  { wanted, ...object }: WantedConditions,
): Promise<void> {
  const title = `${object.kind} ${object.key}`;
  const shown = await until(`${title} has ${wanted.join(' and ')}`, SETTLE_MS, async () => {
    const found = await getObject<Conditioned | undefined, ClusterlinkPeer>(context, object);
    const met = found?.status?.conditions?.filter(({ type, status }) => wanted.includes(type) && status === 'True');
    return met?.length === wanted.length ? met : undefined;
  });
  for (const { type, status, reason } of shown) context.say(`${title}: ${type}=${status} (${reason})`);
}

interface Conditioned {
  readonly status?: { readonly conditions?: readonly Condition[] };
}
