/** Finds out, again and again, whether clients are seen with their own addresses: by connections to our own pods through a Service. */
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { setTimeout as passed } from 'node:timers/promises';
import type { IService } from '../../../api/generated/Service.ts';
import { SYSTEM_NAMESPACE } from '../../../api/names.ts';
import type { HostPort } from '../../../runtime/host-port.ts';
import type { Logger } from '../../../runtime/log.ts';
import type { PlainGauge } from '../../../runtime/metrics.ts';
import {
  decideClientAddresses,
  HIDDEN_EFFECT,
  HIDDEN_FIX,
  parseClientAnswer,
  type ClientAddresses,
  type ClientAnswer,
} from './client-addresses.ts';
import {
  CLIENT_ANSWER_BYTES_MAX,
  CLIENT_CHECK_CONNECTIONS,
  CLIENT_CHECK_INTERVAL_MS,
  CLIENT_CHECK_RETRIES_MAX,
  CLIENT_CHECK_RETRY_MS,
  CLIENT_CHECK_TIMEOUT_MS,
} from './limits.ts';
import type { OwnPod } from './pod.ts';

/** Leads to every part of this product (manifests/base/metrics.yaml). */
export const METRICS_SERVICE = { namespace: SYSTEM_NAMESPACE, name: 'clusterlink-mcs-metrics' } as const;

export interface FollowOptions {
  readonly own: OwnPod;
  /** The addresses of the Service, asked for at every look; they are taken in turn. */
  readonly targets: () => readonly HostPort[];
  /** 1 or 0; no value while it is not known. */
  readonly gauge: PlainGauge;
  readonly logger: Logger;
  /** At each look that found something out. */
  readonly onFound: (found: ClientAddresses) => void;
  /** Tests cannot wait. */
  readonly waitsMs?: { readonly interval: number; readonly retry: number; readonly timeout: number };
}

/** One for each family that the Service has; none while there is no Service. */
export function toTargets(service: IService | undefined): HostPort[] {
  const { clusterIP = '', clusterIPs = [clusterIP], ports = [] } = service?.spec ?? {};
  const port = ports.find(({ name }) => name === 'http')?.port;
  if (port === undefined) return [];
  return clusterIPs.filter((host) => isIP(host) !== 0).map((host) => ({ host, port }));
}

/**
 * Begins at once. What was found out stays until something else is: that nobody answers just now is no news of the network.
 * The result ends it.
 */
export function followClientAddresses(options: FollowOptions): () => Promise<void> {
  const { own, targets, gauge, logger, onFound } = options;
  const { interval, retry, timeout } = options.waitsMs ?? {
    interval: CLIENT_CHECK_INTERVAL_MS,
    retry: CLIENT_CHECK_RETRY_MS,
    timeout: CLIENT_CHECK_TIMEOUT_MS,
  };
  const ending = new AbortController();
  let known: ClientAddresses['verdict'] = 'unknown';

  async function follow(): Promise<void> {
    let retries = 0;
    while (!ending.signal.aborted) {
      const found = await look();
      // What a closing process hears is no news either.
      if (ending.signal.aborted) return;
      if (found.verdict !== 'unknown') tell(found);
      const isRetried = known === 'unknown' && retries++ < CLIENT_CHECK_RETRIES_MAX;
      await passed(isRetried ? retry : interval, undefined, { signal: ending.signal }).catch(() => undefined);
    }
  }

  /** All connections, or up to the first that is hidden: each may go another way. */
  async function look(): Promise<ClientAddresses> {
    const services = targets();
    const answers: ClientAnswer[] = [];
    let found = decideClientAddresses(answers, own);
    for (let count = 0; count < CLIENT_CHECK_CONNECTIONS && found.verdict !== 'hidden'; count++) {
      const target = services[count % services.length];
      if (target === undefined || ending.signal.aborted) break;
      const answer = await ask(target, AbortSignal.any([ending.signal, AbortSignal.timeout(timeout)]));
      if (answer !== undefined) answers.push(answer);
      found = decideClientAddresses(answers, own);
    }
    return found;
  }

  function tell(found: ClientAddresses): void {
    onFound(found);
    if (found.verdict === known) return;
    if (found.verdict === 'hidden') {
      const { seen } = found;
      logger.warn({ seen, own: own.ips, effect: HIDDEN_EFFECT, fix: HIDDEN_FIX }, 'Cluster hides addresses of clients');
    } else logger.info({ own: own.ips }, 'Clients are seen with their own addresses');
    gauge.set(found.verdict === 'visible' ? 1 : 0);
    known = found.verdict;
  }

  const following = follow();
  return async () => {
    ending.abort();
    await following;
  };
}

/** A connection of its own: one that is kept stays with one pod. Undefined where nobody of ours answers in time. */
async function ask({ host, port }: HostPort, signal: AbortSignal): Promise<ClientAnswer | undefined> {
  const asked = request({ host, port, path: '/client', agent: false, signal });
  // After the head of an answer nobody else listens for a connection that breaks.
  asked.on('error', () => undefined);
  asked.end();
  try {
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    return response.statusCode === 200 ? parseClientAnswer(await readBounded(response)) : undefined;
  } catch {
    return undefined;
  } finally {
    asked.destroy();
  }
}

/** @throws {RangeError} beyond the bound. */
async function readBounded(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.byteLength;
    if (bytes > CLIENT_ANSWER_BYTES_MAX) throw new RangeError(`more than ${CLIENT_ANSWER_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
