/** Requests of ClusterLink's form by hand, as a peer of the fabric with a certificate of its own. */
import { X509Certificate } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask, authzOf, connectOf, HEARTBEAT, type Asked } from '#test/support/clusterlink/fixture.ts';
import { parseLabels } from '#test/support/clusterlink/heartbeat.ts';
import { dialRaw, type RawEnd } from '#test/support/clusterlink/raw.ts';
import type { Attributes, Labels } from '#test/support/clusterlink/types.ts';
import type { Driver, Side } from './side.ts';

/** Peers that are nothing but certificates: who asks, and who holds what was given to the other. */
export const ASKER = 'south';
export const OTHER = 'north';

export interface Hand {
  heartbeat(): Promise<Labels | undefined>;
  authorize(name: string, options?: { readonly attributes?: Attributes }): Promise<Asked>;
  /** @returns the status. */
  connect(token: string): Promise<number>;
  /** Fingerprint of the certificate that the gateway shows now. */
  certificate(): Promise<string>;
}

/** @param caller - the peer whose certificate is shown. */
export function makeHand({
  driver,
  exporter,
  caller,
}: {
  readonly driver: Driver;
  readonly exporter: Side;
  readonly caller: string;
}): Hand {
  async function dialled<T>(use: (end: RawEnd) => Promise<T>): Promise<T> {
    const identity = await driver.identity(caller);
    const { host, port } = exporter.gateway;
    const end = await dialRaw({ port, peer: exporter.name, identity, caPem: identity.caPem, tls: { host } });
    try {
      return await use(end);
    } finally {
      end.socket.destroy();
    }
  }

  return {
    heartbeat: () =>
      dialled(async (end) => {
        const { status, head } = await ask(end, HEARTBEAT);
        if (status !== 200) throw new Error(`/healthz: ${status}`);
        const field = /^clusterlinkpeerlabels: (.*)\r$/im.exec(head)?.[1];
        if (field === undefined) throw new Error('/healthz: no ClusterLinkPeerLabels');
        return parseLabels(field);
      }),
    authorize: (name, { attributes = attributesOf(caller) } = {}) =>
      dialled((end) => ask(end, authzOf({ ServiceName: name, ServiceNamespace: 'shop', SrcAttributes: attributes }))),
    connect: (token) =>
      dialled(async (end) => (await ask(end, connectOf(`Bearer ${token}`, `${exporter.name}:443`))).status),
    certificate: () =>
      dialled(async (end) => {
        const raw = end.socket.getPeerX509Certificate()?.raw;
        if (raw === undefined) throw new Error('no certificate');
        // A caller that leaves before its handshake is done at the other end counts as one that failed.
        await ask(end, HEARTBEAT);
        return new X509Certificate(raw).fingerprint256;
      }),
  };
}

export function attributesOf(peer: string): Attributes {
  return {
    'client.clusterlink.net/namespace': 'default',
    'client.clusterlink.net/service-account': 'front',
    'peer.clusterlink.net/name': peer,
  };
}

/** @throws {Error} unless there is a token. */
export async function takeToken(hand: Hand, name: string): Promise<string> {
  const { status, token } = await hand.authorize(name);
  if (status !== 200 || token === '') throw new Error(`/authz for shop/${name}: ${status}, no token`);
  return token;
}

/** Beyond the life of any token (§3.5: five seconds, and none of leeway). */
const EXPIRED_MS = 6_500;

export async function whenExpired(): Promise<void> {
  await sleep(EXPIRED_MS);
}
