/** Every setting of a process: its place in the file, its variable, its flag. docs and `run --help` are written from it. */

export interface Setting {
  /** Where it stands in the file, dotted. */
  readonly key: string;
  readonly env: string;
  readonly flag: string;
  /** How its text is read outside the file: a list is separated by commas, a map is `key=value,key=value`. */
  readonly form: 'text' | 'number' | 'list' | 'map';
  readonly help: string;
  /** One line of YAML, shown as the remedy. */
  readonly example: string;
  /** Its value may hold a password: no message shows it. */
  readonly secret: boolean;
}

export const ENV_PREFIX = 'CLUSTERLINK_MCS_';

/** Variables of the command line itself, which are no settings. */
export const COMMAND_VARIABLES: readonly string[] = ['STORE', 'STATE', 'CONFIG'].map((name) => ENV_PREFIX + name);

/**
 * What Kubernetes puts into pods beside Services whose names begin like ours (`clusterlink-mcs-dns`): not a mistyped setting.
 * https://kubernetes.io/docs/tutorials/services/connect-applications-service/#environment-variables
 */
export const SERVICE_VARIABLE =
  /_(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_[A-Z]+)?)?)$/;

const SECRET: ReadonlySet<string> = new Set(['proxy']);

export const SETTINGS: readonly Setting[] = [
  ['peer', 'text', "this peer's name, as in its certificate", 'peer: east'],
  ['fabric.name', 'text', 'name of the fabric, told in the clusterset ClusterProperty', 'fabric: {name: shops}'],
  ['fabric.ca', 'text', 'file with the CA certificates whose peers are believed', 'fabric: {ca: fabric/cert.pem}'],
  ['fabric.cert', 'text', "file with this peer's certificate", 'fabric: {cert: fabric/east/cert.pem}'],
  ['fabric.key', 'text', "file with this peer's private key, mode 600", 'fabric: {key: fabric/east/key.pem}'],
  ['fabric.crl', 'text', 'file with revocation lists; it need not be there yet', 'fabric: {crl: fabric/crl.pem}'],
  ['gateway.listen', 'text', 'where peers dial us; absent: we only dial', 'gateway: {listen: "0.0.0.0:4443"}'],
  [
    'gateway.advertise',
    'list',
    'addresses that other peers may dial us at',
    'gateway: {advertise: ["203.0.113.1:4443"]}',
  ],
  [
    'clusterlinkCompat',
    'text',
    "ClusterLink's form of the wire: off; on, with peers that have a Peer object; fabric, callers without one too",
    'clusterlinkCompat: fabric',
  ],
  ['proxy', 'text', 'HTTP proxy through which gateways of peers are dialled', 'proxy: http://proxy.corp.example:3128'],
  [
    'proxyExcept',
    'list',
    'hosts, domains and networks of gateways that are dialled without the proxy',
    'proxyExcept: [corp.example, 10.0.0.0/8]',
  ],
  ['workers', 'number', 'processes that carry connections, 1 to 64; 0: this one does', 'workers: 2'],
  ['vips', 'text', 'IPv4 range for the addresses of imports; default: by the peer name', 'vips: 127.96.16.0/20'],
  ['dns.listen', 'text', 'where names are answered', 'dns: {listen: "127.0.0.1:5353"}'],
  ['dns.zones', 'list', 'zones that imports are named in', 'dns: {zones: [clusterset.local]}'],
  ['dns.clients', 'list', 'networks that are answered', 'dns: {clients: [127.0.0.0/8]}'],
  ['dns.threads', 'number', 'threads that answer, 1 to 16', 'dns: {threads: 2}'],
  [
    'dns.repliesPerSecond',
    'number',
    'answers over UDP to one network (/24, /56) a second',
    'dns: {repliesPerSecond: 20000}',
  ],
  ['dns.queryLog', 'number', 'one DNS query of so many is logged; 0: none', 'dns: {queryLog: 1000}'],
  ['client.namespace', 'text', 'namespace that clients on this host count as', 'client: {namespace: default}'],
  [
    'client.serviceAccount',
    'text',
    'service account that clients on this host count as',
    'client: {serviceAccount: host}',
  ],
  ['client.labels', 'map', 'labels that clients on this host count as having', 'client: {labels: {app: web}}'],
  [
    'exports.targets',
    'list',
    'what exports may be dialled at: host:port, cidr:port, *',
    'exports: {targets: ["127.0.0.1:*"]}',
  ],
  [
    'exports.namespaces',
    'list',
    'restricted namespaces whose Services may be exported all the same',
    'exports: {namespaces: [default]}',
  ],
  [
    'fastPath',
    'text',
    'reading into memory that is used again: on, where this Node is proved to do it; off',
    'fastPath: off',
  ],
  ['admin', 'text', 'path of the admin socket; default: admin.sock in the state folder', 'admin: ./state/admin.sock'],
  ['metrics', 'text', 'where probes and metrics are served; absent: nowhere', 'metrics: "127.0.0.1:9090"'],
  ['labels', 'map', "this peer's labels, for policies here", 'labels: {region: eu}'],
  ['log.level', 'text', 'debug, info, warn or error', 'log: {level: info}'],
  ['drainSeconds', 'number', 'how long open connections may take at shutdown', 'drainSeconds: 30'],
].map(([key = '', form, help = '', example = '']) => ({
  key,
  env: ENV_PREFIX + words(key).join('_').toUpperCase(),
  flag: `--${words(key).join('-')}`,
  form: form as Setting['form'],
  help,
  example,
  secret: SECRET.has(key),
}));

/** `client.serviceAccount` -> client, service, account. */
function words(key: string): string[] {
  return key.replace(/[A-Z]/g, (letter) => `.${letter.toLowerCase()}`).split('.');
}

/** The setting that a place in the file belongs to: itself, or the map or list that it is in. */
export function settingOf(path: readonly string[]): Setting | undefined {
  for (let length = path.length; length > 0; length--) {
    const key = path.slice(0, length).join('.');
    const setting = SETTINGS.find((candidate) => candidate.key === key);
    if (setting !== undefined) return setting;
  }
  return undefined;
}
