/** The configuration of a process: one frozen value out of flags, environment, file and defaults, in that order. */
import { readFile, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import * as v from 'valibot';
import { AppError } from '../api/errors.ts';
import { describeIssues } from './config-problems.ts';
import { configSchema, type CLUSTERLINK_COMPAT, type FAST_PATH } from './config-schema.ts';
import { gatherSettings, type FlagValues } from './config-sources.ts';
import type { HostPort } from './host-port.ts';
import { CONFIG_BYTES_MAX } from './limits.ts';
import type { LogLevel } from './log.ts';
import type { ProxyAddress } from './proxy-url.ts';
import { defaultVips } from './vips.ts';

/** Paths are absolute. */
export interface Config {
  /** This peer's name; the certificate must carry it. */
  readonly peer: string;
  readonly fabric: {
    readonly name: string;
    readonly ca: string;
    readonly cert: string;
    readonly key: string;
    /** Revocation lists; the file need not be there. */
    readonly crl?: string;
  };
  /** `listen` absent: this peer only dials. */
  readonly gateway: { readonly listen?: HostPort; readonly advertise: readonly HostPort[] };
  /** Through which gateways of peers are dialled; absent: directly. */
  /** Whether ClusterLink's form of the wire is spoken, and with callers that have no Peer object too. */
  readonly clusterlinkCompat: (typeof CLUSTERLINK_COMPAT)[number];
  readonly proxy?: ProxyAddress;
  /** Hosts, domains, addresses and networks of gateways that are dialled directly all the same. */
  readonly proxyExcept: readonly string[];
  /** Processes that carry connections; 0: the main process does. */
  readonly workers: number;
  /** IPv4 CIDR: where addresses of imports come from. */
  readonly vips: string;
  readonly dns: {
    readonly listen: HostPort;
    readonly zones: readonly string[];
    /** Networks that are answered. */
    readonly clients: readonly string[];
    /** That answer, from 1. */
    readonly threads: number;
    /** Over UDP, to one network: /24 or /56. */
    readonly repliesPerSecond: number;
    /** One of so many queries is logged; 0: none. */
    readonly queryLog: number;
  };
  /** Who clients on this host are, for policies. */
  readonly client: {
    readonly namespace: string;
    readonly serviceAccount: string;
    readonly labels: Readonly<Record<string, string>>;
  };
  readonly exports: {
    /** What a gateway may dial, `host:port`, `cidr:port` or `*:port`; empty: nothing. */
    readonly targets: readonly string[];
    /** Restricted namespaces (kube-*, openshift*, default, clusterlink-system) whose Services may be exported all the same. */
    readonly namespaces: readonly string[];
  };
  /** Whether gateways read sockets into memory of ours, where they can. */
  readonly fastPath: (typeof FAST_PATH)[number];
  /** Path of the admin socket. */
  readonly admin: string;
  /** Absent: no probes and no metrics. */
  readonly metrics?: HostPort;
  /** This peer's own labels. */
  readonly labels: Readonly<Record<string, string>>;
  readonly log: { readonly level: LogLevel };
  readonly drainSeconds: number;
}

export interface ConfigSources {
  /** The file's text, and its name as the user gave it. */
  readonly file?: { readonly name: string; readonly text: string };
  readonly env: Readonly<Record<string, string | undefined>>;
  /** By dotted key, as given on the command line; `undefined` is not given. */
  readonly flags?: FlagValues;
  /** What paths in flags and environment are relative to; paths in the file are relative to the file. */
  readonly cwd: string;
  /** The state folder: where the admin socket is by default. */
  readonly state: string;
}

/**
 * Reads the file, if one is named, and parses everything.
 *
 * @throws {AppError} `ERR_NOT_FOUND` when the file is not there; otherwise as {@link parseConfig}.
 */
export async function loadConfig(
  sources: Omit<ConfigSources, 'file'> & { readonly file?: string | undefined },
): Promise<Config> {
  const { file, ...rest } = sources;
  if (file === undefined) return parseConfig(rest);
  return parseConfig({ ...rest, file: { name: file, text: await readConfigFile(resolve(sources.cwd, file), file) } });
}

async function readConfigFile(path: string, name: string): Promise<string> {
  try {
    const { size } = await stat(path);
    if (size > CONFIG_BYTES_MAX) {
      throw new AppError('ERR_CONFIG', `${name}: ${size} bytes, more than ${CONFIG_BYTES_MAX}`, {
        fix: 'give the configuration of the process; manifests belong into the store',
      });
    }
    return await readFile(path, 'utf8');
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown';
    throw new AppError('ERR_NOT_FOUND', `${name}: cannot be read (${code})`, {
      cause,
      fix: 'give the path of the configuration with --config',
    });
  }
}

/**
 * Pure: the same sources give the same configuration.
 *
 * @throws {AppError} `ERR_CONFIG` that names every problem with its key, and the file and line, variable or flag it is in.
 */
export function parseConfig(sources: ConfigSources): Config {
  const gathered = gatherSettings(sources);
  const parsed = v.safeParse(configSchema, gathered.values);
  if (!parsed.success) throw describeIssues(parsed.issues, gathered);
  const { output } = parsed;
  const fileFolder = dirname(resolve(sources.cwd, sources.file?.name ?? 'none'));
  const toPath = (key: string, path: string): string =>
    resolve(gathered.origins.has(key) ? sources.cwd : fileFolder, path);
  const { peer, fabric, gateway, dns, client, exports, labels, log, drainSeconds } = output;
  const defaultAdmin = join(resolve(sources.cwd, sources.state), 'admin.sock');
  return deepFreeze<Config>({
    peer,
    fabric: {
      name: fabric.name,
      ca: toPath('fabric.ca', fabric.ca),
      cert: toPath('fabric.cert', fabric.cert),
      key: toPath('fabric.key', fabric.key),
      ...(fabric.crl === undefined ? {} : { crl: toPath('fabric.crl', fabric.crl) }),
    },
    gateway: { advertise: gateway.advertise, ...(gateway.listen === undefined ? {} : { listen: gateway.listen }) },
    clusterlinkCompat: output.clusterlinkCompat,
    ...(output.proxy === undefined ? {} : { proxy: output.proxy }),
    proxyExcept: output.proxyExcept,
    workers: output.workers,
    vips: output.vips ?? defaultVips(peer),
    dns,
    client,
    exports,
    fastPath: output.fastPath,
    admin: output.admin === undefined ? defaultAdmin : toPath('admin', output.admin),
    ...(output.metrics === undefined ? {} : { metrics: output.metrics }),
    labels,
    log,
    drainSeconds,
  });
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  for (const member of Object.values(value)) deepFreeze(member);
  return Object.freeze(value);
}
