/** How a gateway dials out, as values: a function does not cross from one process to another. */
import type { HostPort } from '../../runtime/host-port.ts';
import type { DataPlaneOptions } from '../plane.ts';

type Outbound = Omit<NonNullable<DataPlaneOptions['outbound']>, 'resolve'>;

export type WorkerOutbound = Omit<Outbound, 'proxy'> & {
  readonly proxy?: (HostPort & { readonly authorization: string | undefined }) | undefined;
};

/** For a message to a worker, as its identity: the credentials are on no command line and in no environment. */
export function toWorkerOutbound({ proxy, ...same }: Outbound): WorkerOutbound {
  if (proxy === undefined) return same;
  return { ...same, proxy: { host: proxy.host, port: proxy.port, authorization: proxy.authorization() } };
}

export function fromWorkerOutbound({ proxy, ...same }: WorkerOutbound): Outbound {
  if (proxy === undefined) return same;
  const { host, port, authorization } = proxy;
  return { ...same, proxy: { host, port, authorization: () => authorization } };
}
