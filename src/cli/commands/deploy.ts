/** `deploy peer` and `delete peer`: this product in a Kubernetes cluster, and out of it again. */
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Option } from 'commander';
import { stringify } from 'yaml';
import { AppError, formatError } from '../../api/errors.ts';
import { SYSTEM_NAMESPACE } from '../../api/names.ts';
import { describeObject } from '../../api/object.ts';
import { assertFabricName, exists, loadIdentity } from '../../fabric/files.ts';
import { readLists } from '../../fabric/follow-lists.ts';
import { assertPeerName } from '../../fabric/request.ts';
import { isProxyException, parseProxyUrl } from '../../runtime/proxy-url.ts';
import { loadAccess } from '../../store/kubernetes/access.ts';
import { makeCluster, type Cluster } from '../deploy/cluster.ts';
import { withVersion } from '../deploy/crd-verdict.ts';
import {
  namespaceOption,
  readClusterLinkFlags,
  withClusterLinkFlags,
  type ClusterLinkFlags,
} from '../deploy/clusterlink-flags.ts';
import { applyAll, assertCrds, installCrds, waitForDeployments } from '../deploy/install.ts';
import { GONE_WAIT_SECONDS, READY_WAIT_SECONDS, WAIT_SECONDS_MAX } from '../deploy/limits.ts';
import { readBase, readClustersetProfile, readCrds, type Manifest } from '../deploy/manifests.ts';
import { isIdentitySecret, peerObjects, type Identity } from '../deploy/peer-objects.ts';
import { assertPeer, findRemovable, removePeer, waitUntilGone } from '../deploy/remove.ts';
import { assertNamespaceFree } from '../deploy/system-namespace.ts';
import { EXIT } from '../output.ts';
import { withWhere, type Register, type Where } from '../register.ts';
import { version } from '../version.ts';

const DEFAULT_FABRIC = 'default_fabric';
const PROFILES = ['base', 'clusterset'] as const;

interface DeployOptions extends Where, ClusterLinkFlags {
  readonly name: string;
  readonly fabric: string;
  readonly path: string;
  readonly profile: (typeof PROFILES)[number];
  readonly image?: string;
  readonly proxy?: string;
  readonly proxyExcept?: readonly string[];
  readonly withCrds: boolean;
  readonly wait: number;
  readonly dryRun?: boolean;
}

interface DeleteOptions extends Where {
  readonly name?: string;
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

  withClusterLinkFlags(
    withWhere(program.command('deploy').description('Install into a Kubernetes cluster.').command('peer')),
  )
    .description('Make this cluster a peer of a fabric: gateway, controller and DNS, with their roles and policies.')
    .requiredOption('--name <NAME>', 'name of the peer, as in its certificate')
    .option('--fabric <NAME>', 'name of the fabric', DEFAULT_FABRIC)
    .option('--path <PATH>', 'folder that holds the fabric, with the certificate of the peer in it', '.')
    .addOption(new Option('--profile <PROFILE>', 'clusterset: classic MCS').choices(PROFILES).default('base'))
    .option('--image <REFERENCE>', 'image of the program; without it that of the manifests')
    .option('--proxy <URL>', 'HTTP proxy through which peers are dialled, http://[USER:PASSWORD@]HOST:PORT', parseProxy)
    .option('--proxy-except <LIST>', 'hosts, domains and networks dialled without it, by commas', parseExceptions)
    .option('--with-crds', 'write the CRDs that are missing, and ours where older', true)
    .option('--no-with-crds', 'touch no CRD')
    .option('--wait <SECONDS>', 'how long to wait until it serves; 0: not at all', parseSeconds, READY_WAIT_SECONDS)
    .option('--dry-run', 'print the manifests, without the private key, and write nothing')
    .addHelpText(
      'after',
      '\nExample:\n  npx clusterlink-mcs deploy peer --name east --fabric shops --ingress NodePort --ingress-port 30443',
    )
    .action(async (options: DeployOptions) => {
      const { crds, objects, profile, notes } = await manifestsOf(options);
      for (const note of notes) streams.error(note);
      const all = [...(options.withCrds ? crds : []), ...objects, ...profile];
      if (options.dryRun === true) {
        say(
          all
            .filter((object) => !isIdentitySecret(object))
            .map(toYaml)
            .join('---\n')
            .trimEnd(),
        );
        streams.error(`Left out, since it has the private key: ${await secretCommand(options, objects)}`);
        return;
      }
      if (options.start === 'none') {
        const file = await writeManifests(options, all);
        say(file);
        streams.error(
          `Next: kubectl apply --server-side -f ${file}     (it has the private key of the peer: mode 0600)`,
        );
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
    .option('--name <NAME>', 'refuse to delete another peer than this')
    .addOption(namespaceOption())
    .option('--wait <SECONDS>', 'how long to wait until it is gone; 0: not at all', parseSeconds, GONE_WAIT_SECONDS)
    .option('--dry-run', 'name what would be deleted, and delete nothing')
    .addHelpText('after', '\nExample:\n  npx clusterlink-mcs delete peer --context east --dry-run')
    .action(async ({ name, wait, dryRun = false, ...where }: DeleteOptions) => {
      await inCluster(where, async (cluster) => {
        if (name !== undefined) await assertPeer(cluster, name);
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
  readonly notes: readonly string[];
}

async function manifestsOf(options: DeployOptions): Promise<Manifests> {
  const { name, fabric, profile, image, proxy, proxyExcept } = options;
  assertPeerName(name);
  assertFabricName(fabric);
  const { intent, notes } = readClusterLinkFlags(options);
  const identity = await readIdentity(options);
  const objects = peerObjects({
    base: await readBase(),
    peer: name,
    fabric,
    ...intent,
    ...(image === undefined ? {} : { image }),
    ...(proxy === undefined ? {} : { proxy }),
    ...(proxyExcept === undefined ? {} : { proxyExcept }),
    identity,
  });
  return {
    crds: (await readCrds()).map((crd) => withVersion(crd, version)),
    objects,
    profile: profile === 'clusterset' ? await readClustersetProfile() : [],
    notes,
  };
}

/** Beside the certificate, where ClusterLink's CLI puts its own. */
async function writeManifests({ path, fabric, name }: DeployOptions, all: readonly Manifest[]): Promise<string> {
  const file = join(path, fabric, name, 'k8s.yaml');
  const draft = `${file}.draft`;
  await writeFile(draft, all.map(toYaml).join('---\n'), { mode: 0o600, flush: true });
  await rename(draft, file);
  return file;
}

/** The certificate is judged here, before a pod would refuse it. */
async function readIdentity(options: DeployOptions): Promise<Identity> {
  const { name, fabric, path } = options;
  try {
    const identity = await loadIdentity({ ...(await identityFiles(options)), peer: name });
    const crlPem = await readLists(join(path, fabric, 'crl.pem'));
    return crlPem === undefined ? identity : { ...identity, crlPem };
  } catch (cause) {
    if (!(cause instanceof AppError) || cause.code !== 'ERR_NOT_FOUND') throw cause;
    throw new AppError('ERR_NOT_FOUND', cause.message, {
      cause,
      fix: `give the folder that holds the fabric with --path, and make the certificate with "npx clusterlink-mcs create peer-cert --fabric ${fabric} --name ${name}"`,
    });
  }
}

/** ClusterLink's CLI writes no ca.pem beside the certificate: there the fabric's own certificate is the root. */
async function identityFiles({ path, fabric, name }: DeployOptions): Promise<Record<'ca' | 'cert' | 'key', string>> {
  const folder = join(path, fabric, name);
  const ca = join(folder, 'ca.pem');
  return {
    ca: (await exists(ca)) ? ca : join(path, fabric, 'cert.pem'),
    cert: join(folder, 'cert.pem'),
    key: join(folder, 'key.pem'),
  };
}

async function secretCommand(options: DeployOptions, objects: readonly Manifest[]): Promise<string> {
  const { path, fabric, proxy } = options;
  const { ca, cert, key } = await identityFiles(options);
  const files = [`--from-file=ca.pem=${ca}`, `--from-file=${cert}`, `--from-file=${key}`];
  const data = objects.find(isIdentitySecret)?.['data'] as Readonly<Record<string, string>> | undefined;
  if (data?.['crl.pem'] !== undefined) files.push(`--from-file=${join(path, fabric, 'crl.pem')}`);
  if (proxy !== undefined) files.push('--from-literal=proxy=THE_PROXY_URL');
  return `kubectl -n ${SYSTEM_NAMESPACE} create secret generic clusterlink-mcs-peer ${files.join(' ')}`;
}

function toYaml(object: Manifest): string {
  return stringify(object, { lineWidth: 0 });
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
