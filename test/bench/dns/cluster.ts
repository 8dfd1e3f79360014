/** A real API server with the imports: bindings for ours, ServiceImports for who reads those. */
import type { ApiServer } from '#test/support/api-server/api-server.ts';
import type { Manifest } from '#test/support/api-server/rest.ts';
import { inParallel } from '../parallel.ts';
import { NAMESPACE, PORT_NAME, type Import } from './names.ts';

export const SYSTEM = 'clusterlink-system';
/** Where {@link writeElsewhere} writes: of about the size of a binding. */
const ELSEWHERE = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace: NAMESPACE, name: 'elsewhere' } };
const FILLING = 'x'.repeat(300);

export async function createNamespaces({ admin }: ApiServer): Promise<void> {
  for (const name of [SYSTEM, NAMESPACE]) {
    await expect(name, admin.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }));
  }
}

/** Adds those of `imports` from the index `from` on. */
export function createBindings(server: ApiServer, imports: readonly Import[], from = 0): Promise<void> {
  return createAll(server, imports.slice(from).map(toBinding));
}

export function createServiceImports(server: ApiServer, imports: readonly Import[]): Promise<void> {
  return createAll(server, imports.map(toServiceImport));
}

/** Resolves when the API server has it. */
export async function changeAddress(server: ApiServer, { name, address }: Import): Promise<void> {
  const path = await server.admin.pathOf(toBinding({ name, address, port: 1 }));
  await expect(name, server.admin.request('PATCH', path, { body: { spec: { ips: [address] } } }));
}

/** The same work for the API server, and none for DNS. @param value - another one than the last time */
export async function writeElsewhere({ admin }: ApiServer, value: string): Promise<void> {
  await expect(ELSEWHERE.metadata.name, admin.apply({ ...ELSEWHERE, data: { value, filling: FILLING } }));
}

async function createAll({ admin }: ApiServer, manifests: readonly Manifest[]): Promise<void> {
  await inParallel(manifests.length, async (index) => {
    const manifest = manifests[index];
    if (manifest === undefined) return;
    const path = (await admin.pathOf(manifest)).replace(/\/[^/]+$/, '');
    await expect(manifest.metadata.name, admin.request('POST', path, { body: manifest }));
  });
}

async function expect(what: string, reply: Promise<{ readonly status: number; readonly body: unknown }>) {
  const { status, body } = await reply;
  if (status >= 300) throw new Error(`${what}: ${status} ${JSON.stringify(body)}`);
}

/** As the controller writes it for one exporter. */
function toBinding({ name, address, port }: Import): Manifest {
  const ports = [{ name: PORT_NAME, protocol: 'TCP', port }];
  return {
    apiVersion: 'mcs.clusterlink.net/v1alpha1',
    kind: 'ImportBinding',
    metadata: { namespace: SYSTEM, name: `${name}.${NAMESPACE}` },
    spec: {
      import: { namespace: NAMESPACE, name },
      owner: { kind: 'ClusterImportRule', name: 'all' },
      type: 'ClusterSetIP',
      ips: [address],
      ports,
      sources: [{ peer: 'east', namespace: NAMESPACE, name, readyEndpoints: 1, ports }],
    },
  };
}

function toServiceImport({ name, address, port }: Import): Manifest {
  return {
    apiVersion: 'multicluster.x-k8s.io/v1alpha1',
    kind: 'ServiceImport',
    metadata: { namespace: NAMESPACE, name },
    spec: { type: 'ClusterSetIP', ips: [address], ports: [{ name: PORT_NAME, protocol: 'TCP', port }] },
  };
}
