/**
 * An API server in a container: K3s without its agent, so that it needs no privilege, and without its controllers, so that a test
 * meets what it meets with bare processes: a server that keeps objects and does nothing about them.
 */
import { getContainerRuntimeClient, GenericContainer, Wait, type StartedTestContainer } from 'testcontainers';
import { AUDIT_POLICY } from './audit.ts';
import { commonFlags, type Backend, type BackendOptions } from './backend.ts';
import { findFreePort } from './processes.ts';

const SERVER_PORT = 6443;
const KEYS = '/var/lib/rancher/k3s/server/tls';
const AUDIT_POLICY_FILE = '/etc/audit/policy.yaml';
const AUDIT_LOG_FILE = '/var/log/audit.log';
/** Includes the pull of an image of about 250 MB. */
const STARTUP_TIMEOUT_MS = 300_000;

export async function startContainer(options: BackendOptions & { readonly image: string }): Promise<Backend> {
  // A port of Docker's own choice changes when the container starts again.
  const port = await findFreePort();
  const container = await new GenericContainer(options.image)
    .withExposedPorts({ container: SERVER_PORT, host: port })
    .withCopyContentToContainer([{ content: AUDIT_POLICY, target: AUDIT_POLICY_FILE }])
    .withCommand([...k3sFlags(options)])
    .withWaitStrategy(Wait.forListeningPorts())
    .withStartupTimeout(STARTUP_TIMEOUT_MS)
    .start();
  const runtime = await getContainerRuntimeClient();
  const handle = runtime.container.getById(container.getId());
  const isRunning = async (): Promise<boolean> => (await handle.inspect()).State.Running;
  return {
    url: `https://127.0.0.1:${port}`,
    serverCa: await readInside(container, `${KEYS}/server-ca.crt`),
    clientAuthority: {
      certPem: await readInside(container, `${KEYS}/client-ca.crt`),
      keyPem: await readInside(container, `${KEYS}/client-ca.key`),
    },
    async start() {
      if (!(await isRunning())) await handle.start();
    },
    async stop(signal) {
      if (!(await isRunning())) return;
      const ended = handle.wait();
      await handle.kill({ signal });
      await ended;
    },
    failure: async () => ((await isRunning()) ? undefined : `the container has ended:\n${await readLog(container)}`),
    // One process holds both the server and its database here.
    pause: () => handle.pause() as Promise<void>,
    resume: () => handle.unpause() as Promise<void>,
    auditLog: () => readInside(container, AUDIT_LOG_FILE),
    log: () => readLog(container),
    close: async () => void (await container.stop({ timeout: 0 })),
  };
}

function k3sFlags(options: BackendOptions): readonly string[] {
  return [
    'server',
    '--disable-agent',
    '--disable-controller-manager',
    '--disable-scheduler',
    '--disable-cloud-controller',
    '--disable-helm-controller',
    '--disable-kube-proxy',
    '--disable-network-policy',
    '--flannel-backend=none',
    '--egress-selector-mode=disabled',
    '--disable=coredns,local-storage,metrics-server,servicelb,traefik',
    `--service-cidr=${options.serviceRange}`,
    ...[...commonFlags(options), `--audit-policy-file=${AUDIT_POLICY_FILE}`, `--audit-log-path=${AUDIT_LOG_FILE}`]
      // K3s takes the service range as its own flag and gives it on.
      .filter((flag) => !flag.startsWith('--service-cluster-ip-range='))
      .map((flag) => `--kube-apiserver-arg=${flag.slice('--'.length)}`),
  ];
}

async function readInside(container: StartedTestContainer, path: string): Promise<string> {
  const { exitCode, stdout, stderr } = await container.exec(['cat', path]);
  if (exitCode !== 0) throw new Error(`${path} in the container: ${stderr}`);
  return stdout;
}

async function readLog(container: StartedTestContainer): Promise<string> {
  const log = await container.logs({ tail: 100 });
  log.setEncoding('utf8');
  let text = '';
  for await (const chunk of log) text += String(chunk);
  return text;
}
