/** What an endpoint that asks for it is told of a connection, ahead of its bytes: by whom it is, as far as this gateway believes it. */
import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import { isLabel, isSubdomain } from '../api/names.ts';
import { compareText, type ObjectKey } from '../api/object.ts';
import { isUnidentified, type ClientIdentity, type WorkloadIdentity } from './client-identity.ts';
import type { ConnectionEnds } from './connection-ends.ts';
import type { Assertable } from './messages.ts';
import { encodeProxyHeader, LOCAL_PROXY_HEADER, PROXY_TLVS } from './proxy-header.ts';

/** What a connection to an endpoint is made for. */
export type Origin =
  | {
      readonly kind: 'client';
      readonly connection: string;
      /** Of the connection that it came by: a peer's session, which many share, or that of a client of this peer. */
      readonly ends: ConnectionEnds | undefined;
    }
  /** Nobody's bytes come. */
  | { readonly kind: 'probe' };

/** Who asks for what. */
export interface Introduced {
  readonly peer: string;
  readonly export: ObjectKey;
  readonly asserted: Partial<WorkloadIdentity> | null;
  /** A client of this peer itself. */
  readonly own?: ClientIdentity;
}

export interface Introduction {
  readonly access: Introduced;
  readonly origin: Origin;
  /** What the peer may assert of its workloads: the rest is unknown, and not said. */
  readonly mayAssert: readonly Assertable[];
}

/** Before anything else is written. The socket has its own way to fail. */
export function introduce(socket: Socket, introduction: Introduction): void {
  socket.write(toHeader(introduction));
}

/** @returns the header: pure. */
export function toHeader({ access, origin, mayAssert }: Introduction): Buffer {
  if (origin.kind === 'probe') return LOCAL_PROXY_HEADER;
  const { namespace, serviceAccount, labels } = believe(access, mayAssert);
  const tlvs = new Map<number, string>([
    [PROXY_TLVS.authority, `${access.export.name}.${access.export.namespace}`],
    [PROXY_TLVS.uniqueId, origin.connection],
    [PROXY_TLVS.peer, access.peer],
  ]);
  // What is no name of Kubernetes would be foreign text in whatever reads it, and of any length.
  if (namespace !== undefined && isLabel(namespace)) tlvs.set(PROXY_TLVS.namespace, namespace);
  if (serviceAccount !== undefined && isSubdomain(serviceAccount)) {
    tlvs.set(PROXY_TLVS.serviceAccount, serviceAccount);
  }
  if (labels !== undefined) tlvs.set(PROXY_TLVS.labelsDigest, digestLabels(labels));
  return encodeProxyHeader({ ends: origin.ends, tlvs });
}

function believe({ asserted, own }: Introduced, mayAssert: readonly Assertable[]): Partial<WorkloadIdentity> {
  if (own !== undefined) return isUnidentified(own) ? {} : own;
  if (asserted === null) return {};
  const { namespace, serviceAccount, labels } = asserted;
  return {
    ...(mayAssert.includes('namespace') && namespace !== undefined ? { namespace } : {}),
    ...(mayAssert.includes('service-account') && serviceAccount !== undefined ? { serviceAccount } : {}),
    ...(mayAssert.includes('labels') && labels !== undefined ? { labels } : {}),
  };
}

/** SHA-256, in hexadecimal digits, of the labels as JSON in order of their keys: short, whatever there is of them. */
export function digestLabels(labels: Readonly<Record<string, string>>): string {
  const sorted = Object.entries(labels).sort(([a], [b]) => compareText(a, b));
  return createHash('sha256').update(JSON.stringify(sorted)).digest('hex');
}
