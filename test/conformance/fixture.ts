/** The objects of the official suite: names, labels, ports and images are its own, so that results can be compared. Pure. */
import type {
  Namespace,
  Pod,
  Service,
  ServiceExport,
  ServiceExportSpec,
  ServicePort,
  ServiceSpec,
  Workload,
} from './objects.ts';

export const HELLO = 'hello';
export const STATEFUL = 'hello-ss';
export const REQUEST = 'request';
export const HELLO_PORT = 42;

export const TCP_PORT: ServicePort = { name: 'tcp', protocol: 'TCP', port: HELLO_PORT };
export const UDP_PORT: ServicePort = { name: 'udp', protocol: 'UDP', port: HELLO_PORT };

export const HELLO_SERVICE: ServiceSpec = {
  selector: { app: HELLO },
  ports: [TCP_PORT, UDP_PORT],
  sessionAffinity: 'ClientIP',
  sessionAffinityConfig: { clientIP: { timeoutSeconds: 10 } },
  ipFamilyPolicy: 'PreferDualStack',
};
export const HEADLESS_SERVICE: ServiceSpec = { ...HELLO_SERVICE, clusterIP: 'None' };
export const EXTERNAL_SERVICE: ServiceSpec = { type: 'ExternalName', externalName: 'example.com' };

/** What a test begins with in the first cluster. */
export interface Fixture {
  readonly service: ServiceSpec;
  readonly workload: 'Deployment' | 'StatefulSet';
  readonly replicas: number;
  /** Null: no ServiceExport. */
  readonly exported: ServiceExportSpec | null;
}
export const CLUSTER_IP_FIXTURE: Fixture = {
  service: HELLO_SERVICE,
  workload: 'Deployment',
  replicas: 1,
  exported: {},
};
export const HEADLESS_FIXTURE: Fixture = { ...CLUSTER_IP_FIXTURE, service: HEADLESS_SERVICE };

const SOCAT_IMAGE = 'alpine/socat:1.7.4.4';
const NETSHOOT_IMAGE = 'nicolaka/netshoot:v0.15';

export const desiredNamespace = (name: string): Namespace => ({ kind: 'Namespace', metadata: { name } });

export function desiredService(namespace: string, spec: ServiceSpec): Service {
  const marks = { 'dummy-svc': 'dummy' };
  return {
    kind: 'Service',
    metadata: { name: HELLO, namespace, labels: marks, annotations: marks },
    spec,
  };
}

export function desiredExport(namespace: string, spec: ServiceExportSpec): ServiceExport {
  const marks = { 'dummy-svcexport': 'dummy' };
  return {
    kind: 'ServiceExport',
    metadata: { name: HELLO, namespace, labels: marks, annotations: marks },
    spec,
  };
}

export function desiredWorkload(namespace: string, { workload, replicas }: Fixture): Workload {
  const stateful = workload === 'StatefulSet';
  const labels = { app: HELLO };
  const containers = [helloContainer('TCP'), helloContainer('UDP')];
  return {
    kind: workload,
    metadata: { name: stateful ? STATEFUL : HELLO, namespace },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      ...(stateful ? { serviceName: HELLO } : {}),
      template: { metadata: { labels }, spec: { containers, terminationGracePeriodSeconds: 1 } },
    },
  };
}

/** Answers everybody with the first address of its pod: the one trace by which a client sees which cluster it reached. */
function helloContainer(protocol: 'TCP' | 'UDP'): object {
  // The IPv6 form takes IPv4 too, and is not there on nodes without IPv6. The variable is expanded by the shell that socat starts:
  // socat itself would take the colons of an IPv6 address for separators.
  const script = [
    `listen=${protocol}-LISTEN:${HELLO_PORT},reuseaddr,fork`,
    `if read -r _ </proc/net/if_inet6 2>/dev/null; then listen=${protocol}6-LISTEN:${HELLO_PORT},reuseaddr,fork,ipv6only=0; fi`,
    `exec socat "$listen" 'SYSTEM:echo pod ip $POD_IP'`,
  ].join('; ');
  return {
    name: `hello-${protocol.toLowerCase()}`,
    image: SOCAT_IMAGE,
    command: ['/bin/sh', '-c', script],
    env: [{ name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }],
    ports: [{ containerPort: HELLO_PORT, protocol }],
  };
}

export function desiredRequestPod(namespace: string): Pod {
  const container = {
    name: REQUEST,
    image: NETSHOOT_IMAGE,
    command: ['/bin/sh', '-c', 'while true; do sleep 3600; done'],
  };
  return {
    kind: 'Pod',
    metadata: { name: REQUEST, namespace, labels: { app: REQUEST } },
    // A shell as the first process ignores the signal that asks it to end; the namespace should not stay for that.
    spec: { containers: [container], terminationGracePeriodSeconds: 1 },
  };
}
