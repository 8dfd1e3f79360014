/** Who a local client is, or why that is not known (DESIGN §7: fail closed). Pure. */

export interface WorkloadIdentity {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly labels: Readonly<Record<string, string>>;
}

export type UnidentifiedCause =
  'no-pod' | 'several-pods' | 'host-network' | 'node-address' | 'api-server' | 'gateway-address';

/** Everything about the workload is unknown then: that matches in a deny, and in no allow that asks for it. */
export interface Unidentified {
  readonly unidentified: UnidentifiedCause;
}

export type ClientIdentity = WorkloadIdentity | Unidentified;

export function isUnidentified(client: ClientIdentity): client is Unidentified {
  return 'unidentified' in client;
}

const ALLOW_ALL = 'or allow without naming workloads';
const CAUSES: Readonly<Record<UnidentifiedCause, { readonly what: string; readonly fix: string }>> = {
  'no-pod': { what: 'no live pod has its address', fix: `connect from a pod of this cluster, ${ALLOW_ALL}` },
  'several-pods': {
    what: 'several live pods have its address',
    fix: 'remove the pod that is there no more, as after the loss of a node',
  },
  'host-network': {
    what: 'it is on the host network, whose address it shares',
    fix: `give the pod an address of its own (hostNetwork: false), ${ALLOW_ALL}`,
  },
  'node-address': {
    what: 'it comes from the address of a node',
    fix: `turn off masquerading of connections from pods to Services, ${ALLOW_ALL}`,
  },
  'api-server': {
    what: 'it has the address of the API server',
    fix: `connect from a pod of this cluster, ${ALLOW_ALL}`,
  },
  'gateway-address': {
    what: 'it comes from the address of this gateway',
    fix: `turn off masquerading of connections to the gateway, ${ALLOW_ALL}`,
  },
};

/** For people: what is wrong, and what mends it. */
export function explainUnidentified({ unidentified }: Unidentified): {
  readonly message: string;
  readonly fix: string;
} {
  const { what, fix } = CAUSES[unidentified];
  return { message: `It is not known who the client is: ${what}.`, fix };
}
