/** C-O01, C-O02, C-O02b: the names of services with clusterset IPs. */
import { awaitCommand, awaitImport, firstOf, serviceName, type TestContext } from '../driver.ts';
import { CLUSTER_IP_FIXTURE, HELLO, HELLO_PORT } from '../fixture.ts';
import { parseAddresses, parseSrvRecords, toCanonicalAddress } from '../nslookup.ts';
import type { ConformanceTest } from '../outcome.ts';
import { addressTypeOf, lookUpCommand } from './commands.ts';
import { expectEqual } from './expectations.ts';
import { REF } from './references.ts';

const DNS = {
  group: 'Optional',
  labels: ['DNS', 'ClusterIP'],
  clusters: 1,
  fixture: CLUSTER_IP_FIXTURE,
  ref: REF.dns,
} as const;

export const OPTIONAL_DNS: readonly ConformanceTest[] = [
  {
    ...DNS,
    id: 'C-O01',
    title:
      'A DNS lookup of the <service>.<ns>.svc.<zone> domain for a ClusterIP service should resolve to the clusterset IP',
    run: expectClustersetName,
  },
  {
    ...DNS,
    id: 'C-O02',
    title:
      'A DNS SRV query of the <service>.<ns>.svc.<zone> domain for a ClusterIP service should return valid SRV records',
    run: expectOneSrvRecord,
  },
  {
    ...DNS,
    id: 'C-O02b',
    title:
      'DNS lookups of the <service>.<ns>.svc.cluster.local domain for a ClusterIP service should only resolve local services',
    run: expectLocalName,
  },
];

async function expectClustersetName(context: TestContext): Promise<void> {
  const name = `${serviceName(context)}.`;
  for (const cluster of context.clusters) {
    const { spec } = await awaitImport(context, cluster, {
      what: 'clusterset IPs',
      check: (found) => {
        if ((found.spec?.ips ?? []).length === 0) throw new Error('spec.ips is empty');
      },
    });
    for (const ip of spec?.ips ?? []) {
      const type = addressTypeOf(ip.includes(':') ? 'IPv6' : 'IPv4');
      await awaitCommand(context, cluster, {
        what: `${name} ${type} is ${ip}`,
        command: lookUpCommand(name, type),
        times: 1,
        check: (output) => expectContains(output, ip),
      });
    }
  }
}

function expectContains(output: string, ip: string): void {
  if (!parseAddresses(output).includes(toCanonicalAddress(ip))) throw new Error(`${ip} is not in the answer`);
}

/** Two ports of one number are one record: the same port at the same target is said once (DNS-16, CNF-06). */
async function expectOneSrvRecord(context: TestContext): Promise<void> {
  const name = serviceName(context);
  for (const cluster of context.clusters) {
    await awaitCommand(context, cluster, {
      what: `${name}. has one SRV record`,
      command: lookUpCommand(`${name}.`, 'SRV'),
      times: 1,
      check: (output) => expectEqual('the SRV answer', parseSrvRecords(output), [{ port: HELLO_PORT, target: name }]),
    });
  }
}

/** The zone of the cluster keeps its meaning, whatever is exported. */
async function expectLocalName(context: TestContext): Promise<void> {
  const name = `${HELLO}.${context.namespace}.svc.cluster.local.`;
  const ip = context.service.spec.clusterIP ?? 'an address, but the Service has none';
  await awaitCommand(context, firstOf(context), {
    what: `${name} is the Service's own address`,
    command: ['nslookup', name],
    times: 1,
    check: (output) => expectContains(output, ip),
  });
}
