/** What users and gateways write into a cluster, as tests write it; and what the product's parts wrote, as the audit log has it. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { KINDS, type KindMap, type KindName } from '#src/api/kinds.ts';
import type { ObjectKey } from '#src/api/object.ts';
import type { ExportRecord } from '#src/api/record.ts';
import type { ApiServer } from './api-server/api-server.ts';
import type { AuditEntry } from './api-server/audit.ts';
import type { Manifest, Reply } from './api-server/rest.ts';

export const SYSTEM = 'clusterlink-system';
/** Who the parts are, so that the audit log tells their writes from the test's. */
export const PARTS_USER = 'clusterlink-mcs';
const OURS = 'mcs.clusterlink.net/v1alpha1';
const MCS = 'multicluster.x-k8s.io/v1beta1';
/** How long nothing may be written before the parts count as at rest: retries with back-off come sooner. */
const REST_MS = 800;
/** The log is read as a whole each time. */
const REST_LOOK_MS = 100;
const REST_TIMEOUT_MS = 60_000;

type Spec = Readonly<Record<string, unknown>>;

export function namespace(name: string): Manifest {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
}

export function peer(name: string, gateways: readonly { host: string; port: number }[] = []): Manifest {
  return {
    apiVersion: 'clusterlink.net/v1alpha1',
    kind: 'Peer',
    metadata: { namespace: SYSTEM, name },
    spec: { gateways },
  };
}

/** As the gateway that holds the exchange would write it. */
export function peerRecords(name: string, records: readonly ExportRecord[]): Manifest {
  const spec = {
    peer: name,
    epoch: 'one',
    digest: 'd',
    records: records.map((record) => ({ record, firstSeen: '2026-11-20T11:00:00Z' })),
  };
  return { apiVersion: OURS, kind: 'PeerRecords', metadata: { namespace: SYSTEM, name }, spec };
}

export function clusterImportRule(name: string, spec: Spec): Manifest {
  return { apiVersion: OURS, kind: 'ClusterImportRule', metadata: { name }, spec };
}

export function importRule(inNamespace: string, name: string, spec: Spec): Manifest {
  return { apiVersion: OURS, kind: 'ImportRule', metadata: { namespace: inNamespace, name }, spec };
}

export function service(inNamespace: string, name: string, spec: Spec = {}): Manifest {
  const ports = [{ name: 'main', protocol: 'TCP', port: 80 }];
  return { apiVersion: 'v1', kind: 'Service', metadata: { namespace: inNamespace, name }, spec: { ports, ...spec } };
}

export function serviceExport(inNamespace: string, name: string, metadata: Spec = {}): Manifest {
  return { apiVersion: MCS, kind: 'ServiceExport', metadata: { ...metadata, namespace: inNamespace, name } };
}

export function serviceImport(inNamespace: string, name: string, spec: Spec): Manifest {
  return { apiVersion: MCS, kind: 'ServiceImport', metadata: { namespace: inNamespace, name }, spec };
}

/** One API server, read and written as its administrator. */
export interface Cluster {
  readonly server: ApiServer;
  get<K extends KindName>(kind: K, inNamespace: string, name: string): Promise<KindMap[K] | undefined>;
  list<K extends KindName>(kind: K, inNamespace?: string): Promise<readonly KindMap[K][]>;
  /** @throws {Error} with the server's answer when it refuses. */
  apply(...manifests: readonly Manifest[]): Promise<void>;
  applyStatus(manifest: Manifest): Promise<void>;
  /** A merge patch, as `kubectl edit` would send it. @throws {Error} when the server refuses it. */
  patch(kind: KindName, key: ObjectKey, body: Spec, subresource?: 'status'): Promise<void>;
  remove(kind: KindName, inNamespace: string, name: string): Promise<void>;
  /** What the parts asked to write since the beginning, Leases and events apart; refused requests too. */
  writes(): Promise<readonly AuditEntry[]>;
  /** Resolves with those when nothing was added for a while: a hot loop never gets here. */
  rest(): Promise<readonly AuditEntry[]>;
}

/** @param partsUser - whose writes are told. */
export function makeCluster(server: ApiServer, partsUser = PARTS_USER): Cluster {
  const { admin } = server;
  async function expect(what: string, reply: Promise<Reply<unknown>>): Promise<void> {
    const { status, body } = await reply;
    if (status >= 300) throw new Error(`${what}: ${status} ${JSON.stringify(body)}`);
  }
  async function writes(): Promise<readonly AuditEntry[]> {
    const all = await server.writes();
    return all.filter(({ user, resource }) => user === partsUser && !['events', 'leases'].includes(resource));
  }
  return {
    server,
    async get<K extends KindName>(kind: K, inNamespace: string, name: string) {
      const { status, body } = await admin.request<KindMap[K]>('GET', pathTo(kind, { namespace: inNamespace, name }));
      return status === 200 ? body : undefined;
    },
    async list<K extends KindName>(kind: K, inNamespace = '') {
      const path = pathTo(kind, { namespace: inNamespace, name: '' });
      const { status, body } = await admin.request<{ items: readonly KindMap[K][] }>('GET', path);
      if (status !== 200) throw new Error(`${kind}: ${status} ${JSON.stringify(body)}`);
      return body.items;
    },
    async apply(...manifests) {
      for (const manifest of manifests) await expect(manifest.metadata.name, admin.apply(manifest));
    },
    applyStatus: (manifest) => expect(manifest.metadata.name, admin.apply(manifest, { subresource: 'status' })),
    patch: (kind, key, body, subresource) =>
      expect(key.name, admin.request('PATCH', `${pathTo(kind, key)}${subresource ? '/status' : ''}`, { body })),
    remove: (kind, inNamespace, name) =>
      expect(name, admin.request('DELETE', `${pathTo(kind, { namespace: inNamespace, name })}?gracePeriodSeconds=0`)),
    writes,
    async rest() {
      let seen = await writes();
      let sinceMs = performance.now();
      const deadlineMs = sinceMs + REST_TIMEOUT_MS;
      while (performance.now() - sinceMs < REST_MS) {
        await sleep(REST_LOOK_MS);
        const now = await writes();
        if (now.length !== seen.length) sinceMs = performance.now();
        seen = now;
        const last = (): string => seen.slice(-20).map(describeWrite).join('\n');
        if (performance.now() > deadlineMs)
          assert.fail(`the parts still write after ${REST_TIMEOUT_MS} ms:\n${last()}`);
      }
      return seen;
    },
  };
}

/** `PATCH serviceimports/status store/db` */
export function describeWrite({ verb, resource, subresource, namespace: at, name }: AuditEntry): string {
  return `${verb} ${resource}${subresource === '' ? '' : `/${subresource}`} ${at}/${name}`;
}

function pathTo(kind: KindName, { namespace: inNamespace, name }: ObjectKey): string {
  const { group, version, plural } = KINDS[kind];
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  const scope = inNamespace === '' ? '' : `/namespaces/${inNamespace}`;
  return `${root}${scope}/${plural}${name === '' ? '' : `/${name}`}`;
}
