/** What the parts of one peer count. */
import type { IPod } from '#src/api/generated/Pod.ts';
import { keyOf } from '#src/api/object.ts';
import type { Peer } from './fixture.ts';
import { SYSTEM } from './install.ts';

export type Component = 'gateway' | 'controller' | 'dns';

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Of a component that are not going. */
export async function podsOf(peer: Peer, component: Component): Promise<IPod[]> {
  const pods = await peer.list('Pod', SYSTEM);
  return pods.filter(
    ({ metadata }) =>
      metadata?.deletionTimestamp === undefined && metadata?.labels?.['app.kubernetes.io/component'] === component,
  );
}

/** All samples of all pods of a component. */
export async function samplesOf(peer: Peer, component: Component): Promise<Sample[]> {
  const pods = await podsOf(peer, component);
  const texts = await Promise.all(pods.map((pod) => peer.readPod(keyOf(pod), '9090/metrics')));
  return texts.flatMap(parseSamples);
}

/** Connections that ended, or were refused, with a reason, over all gateways. */
export async function countConnections(
  peer: Peer,
  labels: { readonly direction: 'egress' | 'ingress'; readonly import_or_export: string; readonly reason?: string },
): Promise<number> {
  return sum(await samplesOf(peer, 'gateway'), 'clusterlink_mcs_connections_total', labels);
}

export function sum(samples: readonly Sample[], name: string, labels: Readonly<Record<string, string>> = {}): number {
  return samples
    .filter((sample) => sample.name === name && Object.entries(labels).every(([key, is]) => sample.labels[key] === is))
    .reduce((total, { value }) => total + value, 0);
}

function parseSamples(text: string): Sample[] {
  return text.split('\n').flatMap((line) => {
    const [, name, labels = '', value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (name === undefined) return [];
    const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key = '', is = '']) => [key, is]);
    return [{ name, labels: Object.fromEntries(pairs) as Record<string, string>, value: Number(value) }];
  });
}
