/** Data planes of several peers in one process, over real TLS and sockets, with the control part played by the test. */
import type { IAccessPolicy } from '#src/api/generated/AccessPolicy.ts';
import type {
  ClosingRecord,
  DownMessage,
  GatewaySnapshot,
  ImportObservation,
  PeerObservation,
  ProbeOutcome,
  UpMessage,
} from '#src/gateway/messages.ts';
import type { EjectionChange } from '#src/gateway/ejection.ts';
import type { PeerIdentity } from '#src/fabric/files.ts';
import type { Home } from '#src/gateway/home.ts';
import { startDataPlane, type DataPlaneOptions } from '#src/gateway/plane.ts';
import { compilePolicies } from '#src/policy/compile.ts';
import { makeChannelPair } from '#src/runtime/channel.ts';
import type { TestFabric } from './fabric.ts';

export type SnapshotParts = Partial<Pick<GatewaySnapshot, 'peers' | 'imports' | 'exports' | 'revoked'>> & {
  readonly policies?: readonly IAccessPolicy[];
};

export interface TestPlane {
  readonly name: string;
  /** The port of its gateway; 0 when it only dials. */
  readonly port: number;
  readonly closings: ClosingRecord[];
  readonly refusals: string[];
  readonly ejections: EjectionChange[];
  readonly peers: Map<string, PeerObservation>;
  readonly imports: Map<string, ImportObservation>;
  acknowledged(): number;
  /** Sends a snapshot and returns its version. */
  apply(parts: SnapshotParts): number;
  post(message: DownMessage): void;
  /** Whether a source would serve a client, as `explain` asks. */
  probe(question: Omit<Extract<DownMessage, { kind: 'probe' }>, 'kind' | 'id'>): Promise<ProbeOutcome>;
  onExchange(listener: (message: Extract<UpMessage, { kind: `exchange-${string}` }>) => void): void;
  drained(): boolean;
  /** How many connections were let through. */
  opened(): number;
  close(): Promise<void>;
}

export interface TestPlaneOptions {
  readonly fabric: Pick<TestFabric, 'identity'>;
  /** Instead of the one that the fabric gives: may change while the plane runs. */
  readonly identity?: () => PeerIdentity;
  readonly name: string;
  readonly listen?: 'no';
  readonly targets?: readonly string[];
  /** Where it lives; else alone on a host. */
  readonly home?: Home;
  readonly keepAliveMs?: number;
  readonly compat?: NonNullable<DataPlaneOptions['compat']>;
  readonly outbound?: NonNullable<DataPlaneOptions['outbound']>;
  readonly fastPath?: NonNullable<DataPlaneOptions['fastPath']>;
  readonly demandTimings?: NonNullable<DataPlaneOptions['demandTimings']>;
}

const HOST: Home = { kind: 'standalone', client: { namespace: 'default', serviceAccount: 'host', labels: {} } };
/** Clients arrive at target ports of 127.0.0.1, as they would at a pod. */
export const CLUSTER = { kind: 'cluster', listen: ['127.0.0.1'], neverDial: [] } as const satisfies Home;

export async function startTestPlane({
  fabric,
  name,
  listen,
  targets = ['127.0.0.1:*'],
  home = HOST,
  identity,
  ...rest
}: TestPlaneOptions): Promise<TestPlane> {
  const { parent, child } = makeChannelPair<DownMessage, UpMessage>();
  const made = await fabric.identity(name);
  const closings: ClosingRecord[] = [];
  const refusals: string[] = [];
  const ejections: EjectionChange[] = [];
  const peers = new Map<string, PeerObservation>();
  const imports = new Map<string, ImportObservation>();
  let onExchange: Parameters<TestPlane['onExchange']>[0] = () => undefined;
  let version = 0;
  let acknowledged = 0;
  let drained = false;
  let opened = 0;
  const probes = new Map<string, (outcome: ProbeOutcome) => void>();
  const listening = Promise.withResolvers<number>();
  parent.onMessage((message) => {
    if (message.kind === 'acknowledged') acknowledged = message.version;
    else if (message.kind === 'listening') listening.resolve(Number(message.address.split(':').at(-1)));
    else if (message.kind === 'closed') closings.push(message.record);
    else if (message.kind === 'refused') refusals.push(`${message.reason} ${message.from}`);
    else if (message.kind === 'ejection') ejections.push(message.change);
    else if (message.kind === 'peer') peers.set(message.peer.name, message.peer);
    else if (message.kind === 'import')
      imports.set(`${message.import.key.namespace}/${message.import.key.name}`, message.import);
    else if (message.kind === 'drained') drained = true;
    else if (message.kind === 'opened') opened++;
    else if (message.kind === 'probed') probes.get(message.id)?.(message.outcome);
    else if (message.kind.startsWith('exchange-')) onExchange(message as Parameters<typeof onExchange>[0]);
  });
  const plane = await startDataPlane({
    self: { name, labels: {} },
    epoch: `epoch-${name}`,
    version: '0.0.0-test',
    identity: identity ?? (() => made),
    home,
    targets,
    pool: '127.99.0.0/16',
    channel: child,
    ...rest,
    ...(listen === 'no' ? {} : { listen: { host: '127.0.0.1', port: 0 } }),
  });
  if (listen === 'no') listening.resolve(0);
  return {
    name,
    port: await listening.promise,
    closings,
    refusals,
    ejections,
    peers,
    imports,
    acknowledged: () => acknowledged,
    apply({ policies = [], ...parts }) {
      version++;
      parent.post({
        kind: 'snapshot',
        snapshot: {
          version,
          peers: [],
          imports: [],
          exports: [],
          ...parts,
          policies: compilePolicies({ privileged: [], regular: policies, baseline: [] }),
        },
      });
      return version;
    },
    post: (message) => parent.post(message),
    probe: (question) =>
      new Promise((resolve) => {
        const id = String(probes.size);
        probes.set(id, resolve);
        parent.post({ kind: 'probe', id, ...question });
      }),
    onExchange(listener) {
      onExchange = listener;
    },
    drained: () => drained,
    opened: () => opened,
    async close() {
      await plane.close();
      parent.close();
    },
  };
}

/** Allows everybody in these namespaces. */
export function allowAll(...namespaces: string[]): IAccessPolicy[] {
  return namespaces.map((namespace) => ({
    apiVersion: 'clusterlink.net/v1alpha1',
    kind: 'AccessPolicy',
    metadata: { namespace, name: 'all' },
    spec: { action: 'allow', from: [{ workloadSelector: {} }], to: [{ workloadSelector: {} }] },
  }));
}
