/** Asks what a program on this machine, or in this pod, would ask, and the responder itself. */
import { readFile } from 'node:fs/promises';
import { AppError } from '../../api/errors.ts';
import { SYSTEM_NAMESPACE } from '../../api/names.ts';
import type { Change } from './findings.ts';
import { hasAnswer, type DirectlyAsked, type HereObservation, type NameAsked } from './judge-here.ts';
import { RESOLV_CONF_BYTES_MAX } from './limits.ts';
import { askServer } from './question.ts';
import { clusterDomainOf, namesAskedFor, parseResolvConf, type ResolvConf } from './resolv-conf.ts';
import type { Target } from './targets.ts';

const DNS_PORT = 53;
const RESPONDER = `clusterlink-mcs-dns.${SYSTEM_NAMESPACE}.svc`;

export interface HereOptions {
  /** The text of resolv.conf. */
  readonly resolvConf: string;
  readonly zones: readonly string[];
  /** Where the responder is, if that is known. */
  readonly responder: Target | undefined;
  /** Of an import, without the trailing dot. */
  readonly name: string | undefined;
  readonly place: HereObservation['place'];
  readonly recipe?: (resolvConf: ResolvConf) => Change;
  /** In place of those in resolv.conf. */
  readonly resolvers?: readonly Target[];
}

/** @throws {AppError} `ERR_NOT_FOUND`, `ERR_BOUND_EXCEEDED` */
export async function readResolvConf(path: string): Promise<string> {
  try {
    const text = await readFile(path, 'utf8');
    if (text.length <= RESOLV_CONF_BYTES_MAX) return text;
  } catch (cause) {
    const fix = 'this machine has no resolver that programs could ask: docs/DNS.md has how to get one';
    throw new AppError('ERR_NOT_FOUND', `${path}: cannot be read`, { cause, fix });
  }
  throw new AppError('ERR_BOUND_EXCEEDED', `${path}: more than ${RESOLV_CONF_BYTES_MAX} bytes`, {
    fix: 'look what it is',
  });
}

export async function observeHere(options: HereOptions): Promise<HereObservation> {
  const { zones, name, place } = options;
  const resolvConf = parseResolvConf(options.resolvConf);
  const listed = resolvConf.nameservers.map((address) => ({ address, port: DNS_PORT }));
  const servers = options.resolvers ?? listed;
  const [first] = servers;
  const target = options.responder ?? (first === undefined ? undefined : await findResponder(first, resolvConf));
  const versions = await Promise.all(
    servers.flatMap((server) => zones.map((zone) => askServer(server, versionOf(zone)))),
  );
  return {
    resolvConf,
    place,
    recipe: options.recipe?.(resolvConf),
    versions,
    responder: target === undefined ? undefined : await askDirectly(target, zones),
    name: name === undefined ? undefined : await askName(name, { servers, target, resolvConf }),
  };
}

function versionOf(zone: string): { name: string; type: 'TXT' } {
  return { name: `dns-version.${zone}`, type: 'TXT' };
}

async function askDirectly(target: Target, zones: readonly string[]): Promise<DirectlyAsked> {
  const versions = await Promise.all(zones.map((zone) => askServer(target, versionOf(zone))));
  return { server: versions[0]?.server ?? '', versions };
}

/** In a pod: the Service, by the resolver that is to be looked at; it knows names of the cluster whatever else it lacks. */
async function findResponder(resolver: Target, resolvConf: ResolvConf): Promise<Target | undefined> {
  const domain = clusterDomainOf(resolvConf);
  if (domain === undefined) return undefined;
  for (const type of ['A', 'AAAA'] as const) {
    const { outcome } = await askServer(resolver, { name: `${RESPONDER}.${domain}`, type });
    const address = 'silent' in outcome ? undefined : outcome.answers[0];
    if (address !== undefined) return { address, port: DNS_PORT };
  }
  return undefined;
}

interface NameServers {
  readonly servers: readonly Target[];
  readonly target: Target | undefined;
  readonly resolvConf: ResolvConf;
}

async function askName(name: string, { servers, target, resolvConf }: NameServers): Promise<NameAsked> {
  const question = { name, type: 'A' } as const;
  const resolved = await Promise.all(servers.map((server) => askServer(server, question)));
  const direct = target === undefined ? undefined : await askServer(target, question);
  const search: NameAsked['search'][number][] = [];
  // The one that programs get their answers from.
  const answering = servers[resolved.findIndex(({ outcome }) => !('silent' in outcome))];
  for (const candidate of answering === undefined ? [] : namesAskedFor(name, resolvConf)) {
    const asked = await askServer(answering as Target, { name: candidate, type: 'A' });
    search.push(asked);
    if (hasAnswer(asked)) break;
  }
  return { name, resolved, direct, search };
}
