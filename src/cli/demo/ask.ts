/** What the steps do with peers that run: start them, and ask them as their own commands do. */
import type { Explanation, Hop } from '../../gateway/explain.ts';
import type { StatusReport } from '../run/status.ts';
import { startPeer, type PeerProcess } from './peer-process.ts';
import { SETTLE_MS, type DemoContext } from './profile.ts';
import { until } from './until.ts';

/** Starts these peers, and waits until each has a session with all of them that it has a Peer object of. */
export async function startPeers<Name extends string>(
  context: DemoContext<Name>,
  names: readonly Name[],
): Promise<void> {
  // All have to come to an end first: one that starts after a failure would be stopped by nobody.
  const outcomes = await Promise.allSettled(
    names.map(async (name) => {
      context.peers.set(name, await startPeer(context.layout.peers[name]));
      // Whoever stands for the name then: a step may kill it and start it again.
      context.closers.push(() => peerOf(context, name).stop());
    }),
  );
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason as Error;
  const isStarted = (name: string): boolean => names.some((started) => started === name);
  await until('every peer has sessions with the others', SETTLE_MS, async () => {
    const reports = await Promise.all(names.map((name) => statusOf(context, name)));
    return reports.every(({ peers }) => peers.every(({ name, reachable }) => reachable || !isStarted(name)));
  });
}

export function peerOf<Name extends string>({ peers }: DemoContext<Name>, name: Name): PeerProcess {
  const peer = peers.get(name);
  if (peer === undefined) throw new Error(`peer ${name} was not started`);
  return peer;
}

export function statusOf<Name extends string>(context: DemoContext<Name>, name: Name): Promise<StatusReport> {
  return peerOf(context, name).ask<StatusReport>('GET /status');
}

export interface ObjectAt<Name extends string> {
  readonly at: Name;
  readonly kind: string;
  /** `namespace/name`. */
  readonly key: string;
}

export function getObject<T, Name extends string>(
  context: DemoContext<Name>,
  { at, kind, key }: ObjectAt<Name>,
): Promise<T> {
  return peerOf(context, at).ask<T>('POST /objects', { kind, key });
}

export function explainAt<Name extends string>(
  context: DemoContext<Name>,
  name: Name,
  target: string,
): Promise<Explanation> {
  return peerOf(context, name).ask<Explanation>('POST /explain', { target });
}

/** As `explain` prints it. */
export function describeHop({ hop, subject, code = '', message, fix }: Hop): string {
  return `explain: FAIL ${hop} ${subject}: ${code} ${message}${fix === undefined ? '' : `\n     Fix: ${fix}`}`;
}
