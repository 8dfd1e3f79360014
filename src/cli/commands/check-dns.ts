/** `check dns`: whether names of the clusterset come to the responder, in a cluster, in a pod, on a machine; and what is missing. */
import { existsSync } from 'node:fs';
import { isIP } from 'node:net';
import type { Command } from 'commander';
import { AppError, formatError } from '../../api/errors.ts';
import { loadConfig } from '../../runtime/config.ts';
import { parseHostPort, type HostPort } from '../../runtime/host-port.ts';
import { loadAccess } from '../../store/kubernetes/access.ts';
import { adminOption, askPeer, type RunningPeer } from '../ask.ts';
import { formatChanges, formatDnsFindings, type DnsFinding } from '../check-dns/findings.ts';
import { readForms } from '../check-dns/forms.ts';
import { judgeCluster } from '../check-dns/judge-cluster.ts';
import { judgeHere } from '../check-dns/judge-here.ts';
import { observeDns } from '../check-dns/observe-cluster.ts';
import { observeHere, readResolvConf, type HereOptions } from '../check-dns/observe-here.ts';
import { makeProposals } from '../check-dns/proposals.ts';
import { CONFIGURATION_FOLDERS, recipeFor, resolverOf } from '../check-dns/recipes.ts';
import type { Target } from '../check-dns/targets.ts';
import { EXIT, parseOutput } from '../output.ts';
import { outputOption, stateOption, withWhere, type Register, type Where } from '../register.ts';
import type { StatusReport } from '../run/status.ts';
import { parseStore } from '../store-argument.ts';

interface CheckDnsOptions extends Where, RunningPeer {
  readonly fromHere?: boolean;
  readonly name?: string;
  readonly responder?: string;
  readonly store?: string;
  readonly config?: string;
  readonly resolver?: string;
  readonly changes?: boolean;
  readonly output: string;
}

/** What is looked at, by the options and by where the command runs. */
type Place = { readonly kind: 'cluster'; readonly where: Where } | { readonly kind: 'pod' | 'machine' | 'standalone' };

const ZONE = 'clusterset.local';
const RESOLV_CONF = '/etc/resolv.conf';
const FROM_A_POD =
  "A pod's view: kubectl -n clusterlink-system exec deploy/clusterlink-mcs-gateway -- clusterlink-mcs check dns --name NAME";

/** @param check - the command that it stands below. */
export function addCheckDnsCommand(check: Command, { streams, done }: Omit<Register, 'program'>): void {
  withWhere(check.command('dns'))
    .description(
      'Look whether names of the clusterset come to the responder, and print what is missing, ready to apply: in a cluster, from inside a pod, or on a machine.',
    )
    .option('--from-here', 'ask the resolver of resolv.conf, as programs here do; in a pod that is the default')
    .option('--name <NAME>', 'name of an import to ask for; without it the first that can be read')
    .option('--resolver <ADDRESS:PORT>', 'resolver to ask in place of those in resolv.conf')
    .option('--responder <ADDRESS:PORT>', 'where the responder is, to compare with; else found')
    .option('--store <STORE>', 'dir:PATH: a peer on this machine; kubernetes[:KUBECONFIG]: a cluster')
    .option('--config <FILE>', 'configuration of a peer on this machine: its dns.listen is asked')
    .addOption(stateOption())
    .addOption(adminOption())
    .option(
      '--changes',
      'print nothing but the objects to apply, for "| kubectl apply --server-side --force-conflicts -f -"',
    )
    .addOption(outputOption())
    .addHelpText(
      'after',
      `
Examples:
  npx clusterlink-mcs check dns --context east
  npx clusterlink-mcs check dns --context east --changes | kubectl --context east apply --server-side --force-conflicts -f -
  npx clusterlink-mcs check dns --config peer.yaml --name web.store.svc.clusterset.local
  kubectl -n clusterlink-system exec deploy/clusterlink-mcs-gateway -- clusterlink-mcs check dns

docs/DNS.md explains every finding.`,
    )
    .action(async (options: CheckDnsOptions, command: Command) => {
      // `check` has these options too, and takes them, before `dns` and behind it.
      const above = check.opts<Where & Pick<CheckDnsOptions, 'output'>>();
      const isOwn = command.getOptionValueSource('output') === 'cli';
      const output = parseOutput(isOwn ? options.output : above.output);
      const places = placesOf({ ...options, ...whereOf(above), ...whereOf(options) });
      const findings: DnsFinding[] = [];
      try {
        for (const place of places) findings.push(...(await findingsAt(place, options)));
      } catch (error) {
        if (!isUnreachable(error)) throw error;
        streams.error(formatError(error));
        return done(EXIT.unreachable);
      }
      if (options.changes === true) {
        const changes = formatChanges(findings);
        if (changes !== '') streams.out(changes);
        streams.error(formatDnsFindings(findings.map(withoutChange), 'text'));
      } else streams.out(formatDnsFindings(findings, output));
      const count = (wanted: string): number => findings.filter(({ result }) => result === wanted).length;
      streams.error(`${findings.length} looked at, ${count('failed')} failed, ${count('warning')} warnings`);
      if (places.every(({ kind }) => kind === 'cluster')) streams.error(FROM_A_POD);
      done(exitCodeFor(findings));
    });
}

function withoutChange({ result, code, about, found, fix }: DnsFinding): DnsFinding {
  return { result, code, about, found, ...(fix === undefined ? {} : { fix }) };
}

function whereOf({ kubeconfig, context }: Where): Where {
  return { ...(kubeconfig === undefined ? {} : { kubeconfig }), ...(context === undefined ? {} : { context }) };
}

/** @throws {AppError} `ERR_USAGE` */
function placesOf(options: CheckDnsOptions): Place[] {
  const { fromHere = false, config, kubeconfig, context } = options;
  const store = options.store === undefined ? undefined : parseStore(options.store);
  const isStandalone = config !== undefined || store?.home === 'directory';
  const isCluster = kubeconfig !== undefined || context !== undefined || store?.home === 'kubernetes';
  if (isStandalone && isCluster) {
    throw new AppError('ERR_USAGE', 'check dns: a peer on this machine and a cluster', {
      fix: 'give either --config FILE, or --context CONTEXT',
    });
  }
  if (isStandalone) return [{ kind: 'standalone' }];
  const here: Place = { kind: isPod() ? 'pod' : 'machine' };
  const inStore = store?.home === 'kubernetes' ? store.kubeconfig : undefined;
  const where = { ...whereOf(options), ...(inStore === undefined ? {} : { kubeconfig: inStore }) };
  const cluster: Place = { kind: 'cluster', where };
  if (isCluster) return fromHere ? [cluster, here] : [cluster];
  return fromHere || (isPod() && process.env['KUBECONFIG'] === undefined) ? [here] : [cluster];
}

/** https://kubernetes.io/docs/reference/kubernetes-api: every container is told where the API server is. */
function isPod(): boolean {
  return process.env['KUBERNETES_SERVICE_HOST'] !== undefined;
}

async function findingsAt(place: Place, options: CheckDnsOptions): Promise<DnsFinding[]> {
  if (place.kind === 'cluster') return await checkCluster(place.where);
  return judgeHere(await observeHere(await hereOptions(place.kind, options)));
}

async function checkCluster(where: Where): Promise<DnsFinding[]> {
  const access = loadAccess(where);
  try {
    return judgeCluster(await observeDns(access), makeProposals(await readForms()));
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'ERR_FORBIDDEN') throw error;
    const fix = 'be somebody who may read Services and ConfigMaps in clusterlink-system and kube-system';
    throw new AppError('ERR_FORBIDDEN', error.message, { cause: error, fix });
  } finally {
    await access.close();
  }
}

async function hereOptions(kind: 'pod' | 'machine' | 'standalone', options: CheckDnsOptions): Promise<HereOptions> {
  const given = parseAddress('--responder', options.responder);
  const resolver = parseAddress('--resolver', options.resolver);
  const common = {
    resolvConf: await readResolvConf(RESOLV_CONF),
    ...(resolver === undefined ? {} : { resolvers: [resolver] }),
  };
  if (kind !== 'standalone') {
    // A zone of its own is told by the name.
    const zone = /\.svc\.(.+)$/.exec(withoutDot(options.name ?? ''))?.[1] ?? ZONE;
    const name = options.name ?? (await firstImport(options, zone));
    return { ...common, zones: [zone], name: name && withoutDot(name), responder: given, place: kind };
  }
  const { config: file, state } = options;
  const config = await loadConfig({ file, env: process.env, cwd: process.cwd(), state });
  const { listen, zones } = config.dns;
  const name = options.name ?? (await firstImport({ state, admin: options.admin ?? config.admin }, zones[0] ?? ZONE));
  const folders = CONFIGURATION_FOLDERS.filter((folder) => existsSync(folder));
  return {
    ...common,
    zones,
    name: name && withoutDot(name),
    responder: given ?? { address: reachable(listen), port: listen.port },
    place: 'machine',
    recipe: ({ nameservers }) => {
      const program = resolverOf({ platform: process.platform, nameservers, folders });
      return recipeFor(program, { listen: { host: reachable(listen), port: listen.port }, zones });
    },
  };
}

/** Who listens everywhere is asked over loopback. */
function reachable({ host }: HostPort): string {
  return ['0.0.0.0', '::', 'localhost'].includes(host) ? '127.0.0.1' : host;
}

function withoutDot(name: string): string {
  return name.replace(/\.$/, '');
}

/** @throws {AppError} `ERR_USAGE` */
function parseAddress(option: string, text: string | undefined): Target | undefined {
  if (text === undefined) return undefined;
  const { host = '', port = 0 } = parseHostPort(text) ?? {};
  if (isIP(host) !== 0) return { address: host, port };
  throw new AppError('ERR_USAGE', `${option}: ${JSON.stringify(text)} is not ADDRESS:PORT`, {
    fix: 'write it like 127.0.0.1:5353',
  });
}

/** Of the peer that runs here; undefined where none does, or it has none. */
async function firstImport(peer: RunningPeer, zone: string): Promise<string | undefined> {
  try {
    const { imports } = (await askPeer(peer, 'GET /status')) as StatusReport;
    const [namespace, name] = imports.find(({ ip }) => ip !== '')?.name.split('/') ?? [];
    return namespace === undefined || name === undefined ? undefined : `${name}.${namespace}.svc.${zone}`;
  } catch (error) {
    if (error instanceof AppError) return undefined;
    throw error;
  }
}

/** Silence is as far away as a server that cannot be reached. */
function exitCodeFor(findings: readonly DnsFinding[]): number {
  const failed = findings.filter(({ result }) => result === 'failed');
  if (failed.some(({ code }) => code === 'ResponderSilent' || code === 'ResolverSilent')) return EXIT.unreachable;
  return failed.length === 0 ? EXIT.ok : EXIT.failed;
}

function isUnreachable(error: unknown): boolean {
  return error instanceof AppError && (error.code === 'ERR_STORE_UNAVAILABLE' || error.code === 'ERR_TIMEOUT');
}
