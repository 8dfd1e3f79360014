/**
 * Whether a client behind a Service is seen with its own address: pure. All that a gateway knows of a client in its cluster is the
 * address that it comes from. Where the cluster masquerades what goes from pods to Services (kube-proxy with --masquerade-all or
 * with a cluster CIDR that leaves pods out, some network plug-ins), that is a node's: the client is nobody then, and policies that
 * name workloads let nobody in.
 */
import { isIP } from 'node:net';
import { canonicalAddress } from '../../../api/addresses.ts';
import { isSubdomain } from '../../../api/names.ts';
import type { OwnPod } from './pod.ts';

export type ClientAddresses =
  | { readonly verdict: 'visible' | 'unknown' }
  /** `seen`: one of the addresses that a pod was seen with instead of its own. */
  | { readonly verdict: 'hidden'; readonly seen: string };

export const HIDDEN_EFFECT = 'no client is known by its pod, and policies that name workloads let none in';
export const HIDDEN_FIX =
  'turn off masquerading of connections from pods to Services: kube-proxy without --masquerade-all and with a cluster CIDR that covers the pods, or the like setting of the network plug-in';

/** What a pod of ours tells a caller. */
export interface ClientAnswer {
  /** Name of the pod that answers. */
  readonly pod: string;
  /** The address that it sees the caller with, canonical. */
  readonly client: string;
}

/** Undefined for anything that no pod of ours says. */
export function parseClientAnswer(text: string): ClientAnswer | undefined {
  const { pod, client } = membersOf(parseJson(text));
  if (typeof pod !== 'string' || !isSubdomain(pod) || typeof client !== 'string' || isIP(client) === 0)
    return undefined;
  return { pod, client: canonicalAddress(client) };
}

/** What a gateway has found out, in the same answer; undefined where it does not say so: an older version. */
export function parseClientAddresses(answer: unknown): ClientAddresses | undefined {
  const { verdict, seen } = membersOf(membersOf(answer)['clients']);
  if (verdict === 'visible' || verdict === 'unknown') return { verdict };
  if (verdict !== 'hidden' || typeof seen !== 'string' || isIP(seen) === 0) return undefined;
  return { verdict, seen: canonicalAddress(seen) };
}

/**
 * One connection that is hidden is enough: a network may masquerade on some of its ways. What this pod answered itself says
 * nothing, since a pod that reaches itself through a Service is always masqueraded (the hairpin rule of kube-proxy).
 */
export function decideClientAddresses(answers: readonly ClientAnswer[], own: OwnPod): ClientAddresses {
  const ips = new Set(own.ips.map(canonicalAddress));
  const others = answers.filter(({ pod }) => pod !== own.name);
  const seen = others.find(({ client }) => !ips.has(client))?.client;
  if (seen !== undefined) return { verdict: 'hidden', seen };
  return { verdict: others.length > 0 ? 'visible' : 'unknown' };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function membersOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
