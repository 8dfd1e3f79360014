/** What a configuration may say. Pure: reads no file and no environment. */
import { isIP } from 'node:net';
import * as v from 'valibot';
import { isLabel, isSubdomain } from '../api/names.ts';
import { parseHostPort } from './host-port.ts';
import { LOG_LEVELS } from './log.ts';
import { isProxyException, parseProxyUrl } from './proxy-url.ts';
import { vipsProblem } from './vips.ts';

const LABEL_NAME = /^[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const TARGET = /^(?:\*|\[[0-9a-fA-F:.]+\](?:\/\d{1,3})?|[A-Za-z0-9.-]+(?:\/\d{1,2})?):(\*|\d{1,5})$/;
const DRAIN_SECONDS_MAX = 3_600;
/** More than the cores of the machines that gateways run on. */
const WORKERS_MAX = 64;
/** Of DNS: each takes what a core can, some 100,000 queries a second. */
const DNS_THREADS_MAX = 16;
/** Replies to one network: a busy forwarder asks a tenth; at 1,232 octets this is 12 MB/s towards a forged source. */
const DNS_REPLIES_PER_SECOND = 10_000;
const DNS_REPLIES_PER_SECOND_MAX = 10_000_000;
/** One query of so many is logged. */
const DNS_QUERY_LOG_MAX = 1_000_000;

const text = v.pipe(v.string(), v.nonEmpty('is empty'));
const label = v.pipe(v.string(), v.check(isLabel, 'is not an RFC 1123 label'));
const hostPort = v.pipe(
  v.string(),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const parsed = parseHostPort(dataset.value);
    if (parsed !== undefined) return parsed;
    addIssue({ message: 'is not host:port with a port from 1 to 65535' });
    return NEVER;
  }),
);
const proxy = v.pipe(
  v.string(),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const parsed = parseProxyUrl(dataset.value);
    if (parsed.ok) return parsed.proxy;
    addIssue({ message: parsed.problem });
    return NEVER;
  }),
);
const proxyException = v.pipe(
  v.string(),
  v.check(isProxyException, 'is not a host, a domain, an address or a network such as 10.0.0.0/8'),
);
const cidr = v.pipe(v.string(), v.check(isCidr, 'is not a network such as 10.0.0.0/8'));
const zone = v.pipe(v.string(), v.check(isSubdomain, 'is not a domain name in small letters'));
const target = v.pipe(v.string(), v.check(isTarget, 'is not host:port, cidr:port or *:port'));
const vips = v.pipe(
  v.string(),
  v.rawCheck(({ dataset, addIssue }) => {
    const problem = dataset.typed ? vipsProblem(dataset.value) : undefined;
    if (problem !== undefined) addIssue({ message: problem });
  }),
);
const labels = v.record(
  v.pipe(v.string(), v.check(isLabelKey, 'is not a label key')),
  v.pipe(
    v.string(),
    v.check((value) => value === '' || LABEL_NAME.test(value), 'is not a label value'),
  ),
);

/** Whether peers that speak ClusterLink's form of the wire are served: none, those with a Peer object, or all of the fabric. */
export const CLUSTERLINK_COMPAT = ['off', 'on', 'fabric'] as const;

/** Whether sockets are read into memory of ours, where this version of Node is known to do it. */
export const FAST_PATH = ['on', 'off'] as const;

export const configSchema = v.strictObject({
  peer: label,
  fabric: v.strictObject({
    name: v.optional(text, 'default_fabric'),
    ca: text,
    cert: text,
    key: text,
    crl: v.optional(text),
  }),
  gateway: v.optional(
    v.strictObject({ listen: v.optional(hostPort), advertise: v.optional(v.array(hostPort), () => []) }),
    () => ({}),
  ),
  clusterlinkCompat: v.optional(v.picklist(CLUSTERLINK_COMPAT), 'on'),
  proxy: v.optional(proxy),
  proxyExcept: v.optional(v.array(proxyException), () => []),
  workers: v.optional(wholeNumber(0, WORKERS_MAX), 0),
  vips: v.optional(vips),
  dns: v.optional(
    v.strictObject({
      listen: v.optional(hostPort, '127.0.0.1:5353'),
      zones: v.optional(v.pipe(v.array(zone), v.minLength(1, 'is empty')), () => ['clusterset.local']),
      clients: v.optional(v.array(cidr), () => ['127.0.0.0/8', '::1/128']),
      threads: v.optional(wholeNumber(1, DNS_THREADS_MAX), 1),
      repliesPerSecond: v.optional(wholeNumber(1, DNS_REPLIES_PER_SECOND_MAX), DNS_REPLIES_PER_SECOND),
      queryLog: v.optional(wholeNumber(0, DNS_QUERY_LOG_MAX), 0),
    }),
    () => ({}),
  ),
  client: v.optional(
    v.strictObject({
      namespace: v.optional(label, 'default'),
      serviceAccount: v.optional(v.pipe(v.string(), v.check(isSubdomain, 'is not a service account')), 'host'),
      labels: v.optional(labels, () => ({})),
    }),
    () => ({}),
  ),
  exports: v.optional(
    v.strictObject({
      targets: v.optional(v.array(target), () => []),
      namespaces: v.optional(v.array(label), () => []),
    }),
    () => ({}),
  ),
  fastPath: v.optional(v.picklist(FAST_PATH), 'on'),
  admin: v.optional(text),
  metrics: v.optional(hostPort),
  labels: v.optional(labels, () => ({})),
  log: v.optional(v.strictObject({ level: v.optional(v.picklist(LOG_LEVELS), 'info') }), () => ({})),
  drainSeconds: v.optional(wholeNumber(0, DRAIN_SECONDS_MAX), 30),
});

function wholeNumber(least: number, most: number) {
  return v.pipe(
    v.number(),
    v.check(
      (value) => Number.isInteger(value) && value >= least && value <= most,
      `is not a whole number from ${least} to ${most}`,
    ),
  );
}

function isCidr(value: string): boolean {
  const [, address = '', digits = ''] = /^([^/]+)\/(\d{1,3})$/.exec(value) ?? [];
  const family = isIP(address);
  return family !== 0 && Number(digits) <= (family === 4 ? 32 : 128);
}

/** The syntax only; the gateway reads what it means. */
function isTarget(value: string): boolean {
  const [, port = ''] = TARGET.exec(value) ?? [];
  return port === '*' || (Number(port) >= 1 && Number(port) <= 65_535);
}

/** Kubernetes' rule: an optional domain and a name of at most 63 characters. */
function isLabelKey(key: string): boolean {
  const [name = '', domain, ...more] = key.split('/').reverse();
  return more.length === 0 && LABEL_NAME.test(name) && (domain === undefined || isSubdomain(domain));
}
