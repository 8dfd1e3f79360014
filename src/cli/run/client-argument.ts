/** Who is meant by the CLIENT of `explain` and `probe`: the host where a peer stands alone, a pod in a cluster. */
import { AppError } from '../../api/errors.ts';
import { keyOf, parseKey, type ObjectKey } from '../../api/object.ts';
import type { ClientIdentity } from '../../gateway/client-identity.ts';
import type { ReadingsOf } from './reading.ts';

/** Any client of a standalone peer: all clients of a host are one identity. */
export const HOST_CLIENT = 'host';

/** What is neither is no client of any peer: known before one is asked. @throws {AppError} `ERR_USAGE` */
export function checkClient(text: string): string {
  if (text === HOST_CLIENT || POD.test(text)) return text;
  throw new AppError('ERR_USAGE', `${JSON.stringify(text)}: is not a client`, {
    fix: `say ${HOST_CLIENT}, or NAMESPACE/POD in a cluster`,
  });
}

/** @throws {AppError} `ERR_USAGE` */
export function hostClient(text: string, client: ClientIdentity): ClientIdentity {
  if (text === HOST_CLIENT) return client;
  throw new AppError('ERR_USAGE', `${JSON.stringify(text)}: is not a client here`, { fix: `say ${HOST_CLIENT}` });
}

export interface PodClientInput {
  readonly caches: Pick<ReadingsOf<'Pod'>, 'Pod'>;
  /** As the gateway sees a connection from there. */
  clientAt(address: string): ClientIdentity | undefined;
}

/**
 * @param text - `NAMESPACE/POD`
 * @throws {AppError} `ERR_USAGE` or `ERR_NOT_FOUND`
 */
export function podClient(text: string, { caches, clientAt }: PodClientInput): ClientIdentity {
  const key = toKey(text);
  const pod = caches.Pod.get(key);
  if (pod === undefined) {
    const near = caches.Pod.list()
      .map(keyOf)
      .filter(({ namespace }) => namespace === key.namespace)
      .slice(0, PODS_LISTED_MAX);
    const fix =
      near.length === 0
        ? `see "kubectl get pods -n ${key.namespace}"`
        : `give the name of a pod: ${near.map(({ name }) => name).join(', ')}`;
    throw new AppError('ERR_NOT_FOUND', `Pod ${text}: is not there`, { fix });
  }
  const { phase = 'Unknown', podIP = '' } = pod.status ?? {};
  // Its address may be another pod's by now.
  if (phase === 'Succeeded' || phase === 'Failed' || podIP === '') {
    const what = podIP === '' ? 'has no address yet' : `has ended (${phase})`;
    throw new AppError('ERR_NOT_FOUND', `Pod ${text}: ${what}`, { fix: 'give a pod that runs' });
  }
  return clientAt(podIP) ?? { unidentified: 'no-pod' };
}

const PODS_LISTED_MAX = 5;
const POD = /^[^/\s]+\/[^/\s]+$/;

function toKey(text: string): ObjectKey {
  if (POD.test(text)) return parseKey(text);
  throw new AppError('ERR_USAGE', `${JSON.stringify(text)}: is not a pod`, { fix: 'say NAMESPACE/POD' });
}
