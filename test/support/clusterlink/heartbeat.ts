/** Whether a peer is reachable, as ClusterLink finds out (§3.2, §3.3): probe, wait for the tick, three up, five down. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { PeerClient } from './client.ts';
import type { Timeouts } from './flavour.ts';
import type { Labels } from './types.ts';

export interface PeerStatus {
  readonly reachable: boolean;
  /** Last said at a transition; gone while it is unreachable (§2.1). */
  readonly labels: Labels | undefined;
}

export interface Monitor {
  status(): PeerStatus;
  stop(): Promise<void>;
}

export const UP_AFTER = 3;
export const DOWN_AFTER = 5;

export function startMonitor(client: PeerClient, { heartbeatHealthyMs, heartbeatUnhealthyMs }: Timeouts): Monitor {
  const stopping = new AbortController();
  const follow = makeThreshold();
  let status: PeerStatus = { reachable: false, labels: undefined };

  async function watch(): Promise<void> {
    while (!stopping.signal.aborted) {
      const startedMs = performance.now();
      const said = await probe(client, stopping.signal);
      const reachable = follow(said !== undefined);
      // Labels that change while a peer stays reachable are never seen (§8.3, 32).
      if (reachable !== status.reachable) status = { reachable, labels: reachable ? (said ?? {}) : undefined };
      const intervalMs = reachable || said !== undefined ? heartbeatHealthyMs : heartbeatUnhealthyMs;
      const restMs = Math.max(0, intervalMs - (performance.now() - startedMs));
      await sleep(restMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  }

  const watching = watch();
  return {
    status: () => status,
    async stop() {
      stopping.abort();
      await watching;
    },
  };
}

/** Takes results one by one and gives the state: the very first decides alone. */
export function makeThreshold(): (good: boolean) => boolean {
  let state = false;
  let against = 0;
  let decided = false;
  return (good) => {
    against = good === state ? 0 : against + 1;
    if (against >= (decided ? (state ? DOWN_AFTER : UP_AFTER) : 1)) {
      state = good;
      against = 0;
    }
    decided = true;
    return state;
  };
}

/** @returns the labels, or undefined where the probe failed: a missing header is a failure too (§3.3). */
async function probe(client: PeerClient, signal: AbortSignal): Promise<Labels | undefined> {
  const answer = await client.ask({ method: 'GET', path: '/healthz' }, signal);
  return answer?.status === 200 ? parseLabels(answer.fields.get('clusterlinkpeerlabels') ?? '') : undefined;
}

/** Base64 of the JSON of an object of strings, or of `null`. */
export function parseLabels(text: string): Labels | undefined {
  if (!/^(?:[A-Za-z0-9+/]{4})+$|^(?:[A-Za-z0-9+/]{4})*[A-Za-z0-9+/]{2}(?:==|[A-Za-z0-9+/]=)$/.test(text))
    return undefined;
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(text, 'base64').toString());
  } catch {
    return undefined;
  }
  if (value === null) return {};
  if (typeof value !== 'object' || Array.isArray(value)) return undefined;
  const labels = Object.entries(value);
  return labels.every(([, label]) => typeof label === 'string') ? Object.fromEntries(labels) : undefined;
}
