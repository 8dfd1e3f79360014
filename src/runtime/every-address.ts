/** Listening at every address of a machine, whichever families it has. */
import { once } from 'node:events';
import type { Server } from 'node:net';
import type { HostPort } from './host-port.ts';

/** Every address of both families, by one socket: clients of IPv4 are seen as `::ffff:192.0.2.1`. */
const EVERY_ADDRESS = '::';
const EVERY_IPV4_ADDRESS = '0.0.0.0';

/**
 * `::`, where the kernel has no IPv6 at all (`ipv6.disable=1`), is `0.0.0.0`; any other host is itself. Where IPv6 is only switched
 * off (the sysctl `disable_ipv6`), and where there is nothing but IPv6, `::` can be had and serves what there is.
 *
 * @param listen - rejects with the system's own error, and leaves nothing open then.
 */
export async function listenAtEvery<T>(host: string, listen: (host: string) => Promise<T>): Promise<T> {
  try {
    return await listen(host);
  } catch (error) {
    if (host !== EVERY_ADDRESS || !isFamilyMissing(error)) throw error;
    return listen(EVERY_IPV4_ADDRESS);
  }
}

/** The same for a server of TCP. @returns where it listens. Rejects with the system's own error. */
export async function listenTcpAtEvery(server: Server, at: HostPort): Promise<HostPort> {
  const host = await listenAtEvery(at.host, async (candidate) => {
    const listening = once(server, 'listening');
    server.listen({ host: candidate, port: at.port });
    await listening;
    return candidate;
  });
  const address = server.address();
  return { host, port: typeof address === 'object' && address !== null ? address.port : at.port };
}

function isFamilyMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EAFNOSUPPORT';
}
