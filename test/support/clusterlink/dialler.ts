/** TLS connections to other peers' gateways as ClusterLink makes them (§3.1). */
import type { SocketConstructorOpts } from 'node:net';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import type { PeerIdentity } from '#src/fabric/files.ts';
import { SESSIONS_MAX } from './limits.ts';
import { happens, type Sockets } from './sockets.ts';
import type { Address } from './types.ts';

export interface DialOptions {
  /** SNI, whatever address is dialled. */
  readonly peer: string;
  readonly gateway: Address;
  readonly maxVersion: 'TLSv1.2' | 'TLSv1.3';
  readonly checksName: 'yes' | 'no';
  readonly signal: AbortSignal;
}

export interface Dialler {
  /** @returns undefined when there is no connection, or one to somebody else, within the signal's time. */
  dial(options: DialOptions): Promise<TLSSocket | undefined>;
  /** For connections from now on. */
  swapCertificate(identity: PeerIdentity): void;
}

export function makeDialler({
  sockets,
  ...given
}: {
  readonly sockets: Sockets;
  readonly identity: PeerIdentity;
}): Dialler {
  let { identity } = given;
  const sessions = new Map<string, Buffer>();

  function remember(key: string, session: Buffer): void {
    sessions.delete(key);
    sessions.set(key, session);
    const [oldest = key] = sessions.keys();
    if (sessions.size > SESSIONS_MAX) sessions.delete(oldest);
  }

  return {
    async dial({ peer, gateway, maxVersion, checksName, signal }) {
      const key = `${maxVersion} ${peer}`;
      const session = sessions.get(key);
      const options: ConnectionOptions & Pick<SocketConstructorOpts, 'allowHalfOpen'> = {
        ...gateway,
        servername: peer,
        cert: identity.certPem,
        key: identity.keyPem,
        ca: identity.caPem,
        minVersion: 'TLSv1.2',
        maxVersion,
        allowHalfOpen: true,
        checkServerIdentity: (_host, { subjectaltname = '' }) =>
          checksName === 'no' || subjectaltname.split(', ').includes(`DNS:${peer}`)
            ? undefined
            : new Error(`the certificate is not that of ${peer}`),
        ...(session === undefined ? {} : { session }),
      };
      const socket = connect(options);
      socket.setNoDelay(true);
      sockets.track(socket).on('session', (ticket: Buffer) => remember(key, ticket));
      return (await happens(socket, 'secureConnect', signal)) ? socket : undefined;
    },
    swapCertificate(next) {
      identity = next;
      sessions.clear();
    },
  };
}
