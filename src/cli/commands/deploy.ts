/** `deploy peer` and `delete peer`: this product in a Kubernetes cluster, and out of it again. */
import { basename, join, resolve } from 'node:path';
import { Option } from 'commander';
import { stringify } from 'yaml';
import { AppError, formatError } from '../../api/errors.ts';
import { SYSTEM_NAMESPACE } from '../../api/names.ts';
import { describeObject } from '../../api/object.ts';
import { loadIdentity } from '../../fabric/files.ts';
import { readLists } from '../../fabric/follow-lists.ts';
import { assertPeerName } from '../../fabric/request.ts';
import { isProxyException, parseProxyUrl } from '../../runtime/proxy-url.ts';
import { loadAccess } from '../../store/kubernetes/access.ts';
import { makeCluster, type Cluster } from '../deploy/cluster.ts';
import { withVersion } from '../deploy/crd-verdict.ts';
import { applyAll, assertCrds, installCrds, waitForDeployments } from '../deploy/install.ts';
import { GONE_WAIT_SECONDS, READY_WAIT_SECONDS, WAIT_SECONDS_MAX } from '../deploy/limits.ts';
import { readBase, readClustersetProfile, readCrds, type Manifest } from '../deploy/manifests.ts';
import {
  GATEWAY_SERVICES,
  isIdentitySecret,
  peerObjects,
  type GatewayService,
  type Identity,
} from '../deploy/peer-objects.ts';
import { findRemovable, removePeer, waitUntilGone } from '../deploy/remove.ts';
import { assertNamespaceFree } from '../deploy/system-namespace.ts';
import { EXIT } from '../output.ts';
import { withWhere, type Register, type Where } from '../register.ts';
import { version } from '../version.ts';

const PROFILES = ['base', 'clusterset'] as const;

interface DeployOptions extends Where {
  readonly name: string;
  readonly fabricDir: string;
  readonly profile: (typeof PROFILES)[number];
  readonly gatewayService: GatewayService;
  readonly nodePort?: number;
  readonly image?: string;
  readonly proxy?: string;
  readonly proxyExcept?: readonly string[];
  readonly withCrds: boolean;
  readonly wait: number;
  readonly dryRun?: boolean;
}

interface DeleteOptions extends Where {
  readonly wait: number;
  readonly dryRun?: boolean;
}

export function addDeployCommands({ program, streams, done }: Register): void {
  const say = streams.out;

  /** Exit code 3 is for a cluster that cannot be reached (DESIGN §11). */
  async function inCluster(where: Where, work: (cluster: Cluster) => Promise<void>): Promise<void> {
    const access = loadAccess(where);
    try {
      await work(makeCluster(access));
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'ERR_STORE_UNAVAILABLE') throw error;
      streams.error(formatError(error));
      done(EXIT.unreachable);
    } finally {
      await access.close();
    }
  }

  withWhere(program.command('deploy').description('Install into a Kubernetes cluster.').command('peer'))
    .description('Make this cluster a peer of a fabric: gateway, controller and DNS, with their roles and policies.')
    .requiredOption('--name <NAME>', 'name of the peer, as in its certificate')
    .requiredOption(
      '--fabric-dir <DIR>',
      'folder of the fabric, with NAME/cert.pem, NAME/key.pem and NAME/ca.pem in it',
    )
    .addOption(new Option('--profile <PROFILE>', 'clusterset: classic MCS').choices(PROFILES).default('base'))
    .addOption(
      new Option(
        '--gateway-service <TYPE>',
        'how peers outside reach the gateway; ClusterIP: they do not, it only dials',
      )
        .choices(GATEWAY_SERVICES)
        .default('ClusterIP'),
    )
    .option('--node-port <PORT>', 'of a NodePort; without it the cluster chooses', parsePort)
    .option('--image <REFERENCE>', 'image of the program; without it that of the manifests')
    .option('--proxy <URL>', 'HTTP proxy through which peers are dialled, http://[USER:PASSWORD@]HOST:PORT', parseProxy)
    .option('--proxy-except <LIST>', 'hosts, domains and networks dialled without it, by commas', parseExceptions)
    .option('--with-crds', 'write the CRDs that are missing, and ours where older', true)
    .option('--no-with-crds', 'touch no CRD')
    .option('--wait <SECONDS>', 'how long to wait until it serves; 0: not at all', parseSeconds, READY_WAIT_SECONDS)
    .option('--dry-run', 'print the manifests, without the private key, and write nothing')
    .addHelpText(
      'after',
      '\nExample:\n  npx clusterlink-mcs deploy peer --name east --fabric-dir ./shops --gateway-service NodePort --node-port 30443',
    )
    .action(async (options: DeployOptions) => {
      const { crds, objects, profile } = await manifestsOf(options);
      const all = [...(options.withCrds ? crds : []), ...objects, ...profile];
      if (options.dryRun === true) {
        say(
          all
            .filter((object) => !isIdentitySecret(object))
            .map(toYaml)
            .join('---\n')
            .trimEnd(),
        );
        streams.error(`Left out, since it has the private key: ${secretCommand(options, objects)}`);
        return;
      }
      await inCluster(options, async (cluster) => {
        await assertNamespaceFree(cluster);
        if (options.withCrds) await installCrds(cluster, crds, say);
        else await assertCrds(cluster, crds);
        await applyAll(cluster, [...objects, ...profile], say);
        if (options.wait > 0) await waitForDeployments(cluster, objects, options.wait);
        streams.error(`Next: a Peer object in ${SYSTEM_NAMESPACE} for every peer it is to know (docs/INSTALL.md).`);
      });
    });

  withWhere(
    program.command('delete').description('Take what "deploy" installed out of a Kubernetes cluster.').command('peer'),
  )
    .description("Remove everything of ours, also what our controllers wrote. Users' objects and the CRDs stay.")
    .option('--wait <SECONDS>', 'how long to wait until it is gone; 0: not at all', parseSeconds, GONE_WAIT_SECONDS)
    .option('--dry-run', 'name what would be deleted, and delete nothing')
    .addHelpText('after', '\nExample:\n  npx clusterlink-mcs delete peer --context east --dry-run')
    .action(async ({ wait, dryRun = false, ...where }: DeleteOptions) => {
      await inCluster(where, async (cluster) => {
        if (dryRun) {
          for (const object of await findRemovable(cluster)) say(`${describeObject(object)} would be deleted`);
          return;
        }
        await removePeer(cluster, say);
        if (wait > 0) await waitUntilGone(cluster, wait);
      });
    });
}

interface Manifests {
  readonly crds: readonly Manifest[];
  readonly objects: readonly Manifest[];
  readonly profile: readonly Manifest[];
}

async function manifestsOf(options: DeployOptions): Promise<Manifests> {
  const { name, fabricDir, profile, gatewayService, nodePort, image, proxy, proxyExcept } = options;
  assertPeerName(name);
  if (nodePort !== undefined && gatewayService !== 'NodePort') {
    throw new AppError('ERR_USAGE', `--node-port: the gateway's Service is of type ${gatewayService}`, {
      fix: 'add --gateway-service NodePort',
    });
  }
  const identity = await readIdentity(fabricDir, name);
  const objects = peerObjects({
    base: await readBase(),
    peer: name,
    fabric: basename(resolve(fabricDir)),
    gatewayService,
    ...(nodePort === undefined ? {} : { nodePort }),
    ...(image === undefined ? {} : { image }),
    ...(proxy === undefined ? {} : { proxy }),
    ...(proxyExcept === undefined ? {} : { proxyExcept }),
    identity,
  });
  return {
    crds: (await readCrds()).map((crd) => withVersion(crd, version)),
    objects,
    profile: profile === 'clusterset' ? await readClustersetProfile() : [],
  };
}

/** The certificate is judged here, before a pod would refuse it. */
async function readIdentity(fabricDir: string, name: string): Promise<Identity> {
  const folder = join(fabricDir, name);
  const files = { ca: join(folder, 'ca.pem'), cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
  try {
    const identity = await loadIdentity({ ...files, peer: name });
    const crlPem = await readLists(join(fabricDir, 'crl.pem'));
    return crlPem === undefined ? identity : { ...identity, crlPem };
  } catch (cause) {
    if (!(cause instanceof AppError) || cause.code !== 'ERR_NOT_FOUND') throw cause;
    const fabric = basename(resolve(fabricDir));
    throw new AppError('ERR_NOT_FOUND', cause.message, {
      cause,
      fix: `give the folder of the fabric with --fabric-dir, and make the certificate with "npx clusterlink-mcs create peer-cert --fabric ${fabric} --name ${name}"`,
    });
  }
}

function secretCommand({ name, fabricDir, proxy }: DeployOptions, objects: readonly Manifest[]): string {
  const files = ['ca.pem', 'cert.pem', 'key.pem'].map((file) => `--from-file=${join(fabricDir, name, file)}`);
  const data = objects.find(isIdentitySecret)?.['data'] as Readonly<Record<string, string>> | undefined;
  if (data?.['crl.pem'] !== undefined) files.push(`--from-file=${join(fabricDir, 'crl.pem')}`);
  if (proxy !== undefined) files.push('--from-literal=proxy=THE_PROXY_URL');
  return `kubectl -n ${SYSTEM_NAMESPACE} create secret generic clusterlink-mcs-peer ${files.join(' ')}`;
}

function toYaml(object: Manifest): string {
  return stringify(object, { lineWidth: 0 });
}

function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port >= 1 && port <= 65_535) return port;
  throw new AppError('ERR_USAGE', `--node-port: ${JSON.stringify(text)} is not a port`, { fix: 'write it like 30443' });
}

/** Nothing of the text is told: it may hold a password. */
function parseProxy(text: string): string {
  const parsed = parseProxyUrl(text);
  if (parsed.ok) return text;
  throw new AppError('ERR_USAGE', `--proxy: ${parsed.problem}`, {
    fix: 'write it like http://proxy.corp.example:3128',
  });
}

function parseExceptions(text: string): string[] {
  const entries = text.split(',').map((entry) => entry.trim());
  const wrong = entries.find((entry) => !isProxyException(entry));
  if (wrong === undefined) return entries;
  throw new AppError('ERR_USAGE', `--proxy-except: ${JSON.stringify(wrong)} is no host, domain, address or network`, {
    fix: 'write it like corp.example,10.0.0.0/8',
  });
}

function parseSeconds(text: string): number {
  const seconds = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (seconds <= WAIT_SECONDS_MAX) return seconds;
  throw new AppError('ERR_USAGE', `--wait: ${JSON.stringify(text)} is not a number of seconds`, {
    fix: `write a whole number from 0 to ${WAIT_SECONDS_MAX}`,
  });
}
