/**
 * The metrics of a process, in a registry of its own. Labels that come from objects or peers are bounded: beyond the bound
 * a new one counts as "other", so that nobody can grow the process by naming things.
 */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { METRIC_SERIES_MAX } from './limits.ts';
import type { Exposition } from './http.ts';

type Labels<Name extends string> = Readonly<Record<Name, string>>;

export interface BoundedCounter<Name extends string> {
  inc(labels: Labels<Name>, by?: number): void;
}

export interface BoundedGauge<Name extends string> {
  set(labels: Labels<Name>, value: number): void;
  /** Up, or down by a negative number. Unlike {@link set} this stays right for series that share "other". */
  add(labels: Labels<Name>, by: number): void;
  /** The series goes away, and its place is free again. */
  remove(labels: Labels<Name>): void;
}

export interface BoundedHistogram<Name extends string> {
  observe(labels: Labels<Name>, seconds: number): void;
}

/** What a gauge or a histogram has when it has no labels. */
export interface PlainGauge {
  set(value: number): void;
}

export interface Metrics extends Exposition {
  /** Connections that have ended or were refused. */
  readonly connections: BoundedCounter<'direction' | 'import_or_export' | 'peer' | 'reason'>;
  readonly connectionsOpen: BoundedGauge<'direction'>;
  /** Connections of clients here of which bytes went with the request. `result`: opened, refused or spent. */
  readonly connectionsEarly: BoundedCounter<'result'>;
  readonly bytes: BoundedCounter<'direction'>;
  readonly sessions: BoundedGauge<'peer'>;
  /** Unix time at which the certificate ends that a peer has shown last. */
  readonly peerCertificateExpiry: BoundedGauge<'peer'>;
  /** Unix time at which a peer last said that its records are as we know them; 0: not yet. */
  readonly recordsConfirmed: BoundedGauge<'peer'>;
  /** 1 while none of its sources can be used; the others have no series. */
  readonly importWithoutSource: BoundedGauge<'import'>;
  /** Worker processes, by `state`: serving or leaving. */
  readonly workers: BoundedGauge<'state'>;
  /** Workers that were replaced; `cause`: lost or restart. */
  readonly workerRestarts: BoundedCounter<'cause'>;
  readonly handshakesRefused: BoundedCounter<'reason'>;
  /** How near a bound is, 0 to 1: one name for all limits. `peer` is empty for what all peers share. */
  readonly limitUsed: BoundedGauge<'limit' | 'peer'>;
  /** What was refused at a bound, each time counted. */
  readonly limitRefusals: BoundedCounter<'limit' | 'peer'>;
  /** Memory that is held for what a peer sent or has not read yet. */
  readonly bufferedBytes: BoundedGauge<'peer'>;
  /** Of all peers together, and what it may become. */
  readonly bufferedBytesTotal: PlainGauge;
  readonly bufferedBytesMax: PlainGauge;
  /** Records of a peer that it does not name any more and that are kept, since they went in a mass. */
  readonly recordsHeld: BoundedGauge<'peer'>;
  /** Sources of imports that were put last since connections to them failed. */
  readonly sourcesEjected: BoundedCounter<'peer' | 'reason'>;
  /** `state`: sent or acknowledged. */
  readonly snapshotVersion: BoundedGauge<'component' | 'state'>;
  /** `path`: fast or full (`src/dns/fast-path.ts`). */
  readonly dnsQueries: BoundedCounter<'transport' | 'path' | 'type' | 'rcode'>;
  /** Queries and connections that got no answer. */
  readonly dnsDropped: BoundedCounter<'transport' | 'reason'>;
  /** Of the responder: for how long something that it was sent has not been in force; 0 when all of it is. */
  readonly dnsBehindSeconds: PlainGauge;
  /** `result`: ok or error. */
  readonly reconciles: BoundedCounter<'controller' | 'result'>;
  readonly reconcileSeconds: BoundedHistogram<'controller'>;
  readonly storeProblems: PlainGauge;
  /** Unix time at which an API server last gave a list, or began a watch, which it does every few minutes. */
  readonly storeRead: BoundedGauge<'kind'>;
  /** What is asked of an API server; `result`: ok, or why not. */
  readonly storeLists: BoundedCounter<'kind' | 'result'>;
  readonly storeWatches: BoundedCounter<'kind' | 'result'>;
  /** `result`: sent, skipped (nothing to change), or an error code. */
  readonly storeWrites: BoundedCounter<'kind' | 'verb' | 'result'>;
  /** Seconds left; negative when it has expired. */
  readonly certificateExpirySeconds: PlainGauge;
  /** 1 while a revocation list that is in force names this peer's certificate. */
  readonly certificateRevoked: PlainGauge;
  /** Of each revocation list in force, by the beginning of its issuer's fingerprint: negative when it is stale. */
  readonly crlNextUpdateSeconds: BoundedGauge<'issuer'>;
  /** Of a gateway: 1 while sockets are read into memory that is used again, else 0. */
  readonly fastPath: PlainGauge;
  /** Of a gateway in a cluster: 1 or 0, and no value while it is not known. */
  readonly clientAddressesVisible: PlainGauge;
  /** Called whenever somebody is about to look: for what is counted elsewhere. */
  beforeExpose(look: () => void): void;
}

export interface MetricsOptions {
  readonly version: string;
  /** The name of this peer: tells processes of several peers apart that are scraped as one job. */
  readonly self?: string;
  /** Series of one metric; tests lower it. */
  readonly seriesMax?: number;
  /** `collected`: also what Node and the kernel know of the process (CPU, memory, event loop lag). */
  readonly processMetrics?: 'collected' | 'none';
}

const PREFIX = 'clusterlink_mcs_';
/** A reconcile reads memory and writes a few objects: from half a millisecond to its deadline. */
const RECONCILE_BUCKETS_SECONDS = [0.0005, 0.002, 0.01, 0.05, 0.25, 1, 5, 30];

export function makeMetrics({
  version,
  self,
  seriesMax = METRIC_SERIES_MAX,
  processMetrics = 'none',
}: MetricsOptions): Metrics {
  const registry = new Registry();
  const looks: (() => void)[] = [];
  const define = makeDefiner(registry, seriesMax);
  if (processMetrics === 'collected') collectDefaultMetrics({ register: registry });
  const build = { version, node: process.versions.node, ...(self === undefined ? {} : { self }) };
  const help = 'Always 1; says which version runs, and as which peer.';
  define.gauge<string>('build_info', help, Object.keys(build)).set(build, 1);
  return {
    connections: define.counter('connections_total', 'Connections that ended or were refused, by the reason of it.', [
      'direction',
      'import_or_export',
      'peer',
      'reason',
    ]),
    connectionsOpen: define.gauge('connections_open', 'Connections that are open now.', ['direction']),
    connectionsEarly: define.counter(
      'connections_early_total',
      'Connections whose first bytes went with the request, by what became of it.',
      ['result'],
    ),
    bytes: define.counter('bytes_total', 'Payload bytes forwarded, both ways together.', ['direction']),
    sessions: define.gauge('sessions', 'Sessions that are open with a peer.', ['peer']),
    peerCertificateExpiry: define.gauge(
      'peer_certificate_expiry_timestamp_seconds',
      'When the certificate ends that a peer has shown last.',
      ['peer'],
    ),
    recordsConfirmed: define.gauge(
      'records_confirmed_timestamp_seconds',
      'When a peer last said that its records are as they are known here; 0: not yet.',
      ['peer'],
    ),
    importWithoutSource: define.gauge('import_without_source', 'Is 1 while no source of an import can be used.', [
      'import',
    ]),
    workers: define.gauge('workers', 'Worker processes that carry connections, by what they do.', ['state']),
    workerRestarts: define.counter(
      'worker_restarts_total',
      'Worker processes that were replaced, by the cause of it.',
      ['cause'],
    ),
    handshakesRefused: define.counter('handshakes_refused_total', 'Callers turned away before they had a name.', [
      'reason',
    ]),
    limitUsed: define.gauge('limit_used_ratio', 'How much of a limit is used, 0 to 1; all peers together: no peer.', [
      'limit',
      'peer',
    ]),
    limitRefusals: define.counter('limit_refusals_total', 'What was refused since a limit was reached.', [
      'limit',
      'peer',
    ]),
    bufferedBytes: define.gauge('buffered_bytes', 'Memory held for what a peer sent or has not read yet.', ['peer']),
    bufferedBytesTotal: define.lateGauge('buffered_bytes_process', 'The same for all peers together.'),
    bufferedBytesMax: define.lateGauge('buffered_bytes_process_max', 'What it may become: then connections are cut.'),
    recordsHeld: define.gauge('records_held', 'Records that a peer lost in a mass, and that are kept for now.', [
      'peer',
    ]),
    sourcesEjected: define.counter(
      'sources_ejected_total',
      'Sources of imports that are tried last for a while, since connections to them failed.',
      ['peer', 'reason'],
    ),
    snapshotVersion: define.gauge(
      'snapshot_version',
      'Version of the snapshot last sent to, and acknowledged by, a component.',
      ['component', 'state'],
    ),
    dnsQueries: define.counter('dns_queries_total', 'DNS queries answered.', ['transport', 'path', 'type', 'rcode']),
    dnsDropped: define.counter(
      'dns_dropped_total',
      'DNS queries and connections that got no answer, by the reason of it.',
      ['transport', 'reason'],
    ),
    dnsBehindSeconds: define.lateGauge(
      'dns_behind_seconds',
      'For how long DNS has not answered by what it was told last; 0: it does.',
    ),
    reconciles: define.counter('reconcile_total', 'Runs of reconcilers.', ['controller', 'result']),
    reconcileSeconds: define.histogram('reconcile_seconds', 'How long a run of a reconciler took.', ['controller']),
    storeRead: define.gauge('store_read_timestamp_seconds', 'When a kind was last read from the API server.', ['kind']),
    storeLists: define.counter('store_lists_total', 'Lists of a kind asked of the API server.', ['kind', 'result']),
    storeWatches: define.counter('store_watches_total', 'Watches of a kind opened at the API server.', [
      'kind',
      'result',
    ]),
    storeWrites: define.counter('store_writes_total', 'Writes to the API server; skipped ones changed nothing.', [
      'kind',
      'verb',
      'result',
    ]),
    storeProblems: define.plainGauge(
      'store_problems',
      'Documents in the store that are not taken because they are wrong.',
    ),
    // Controller and DNS have none: a 0 there would look like one that has expired.
    certificateExpirySeconds: define.lateGauge(
      'certificate_expiry_seconds',
      "Seconds until this peer's certificate expires.",
    ),
    certificateRevoked: define.lateGauge(
      'certificate_revoked',
      "Whether a revocation list in force names this peer's certificate: 1 or 0.",
    ),
    crlNextUpdateSeconds: define.gauge(
      'crl_next_update_seconds',
      'Seconds until a revocation list in force is due to be renewed; a stale one stays in force.',
      ['issuer'],
    ),
    fastPath: define.lateGauge('fast_path', 'Whether sockets are read into memory that is used again: 1 or 0.'),
    clientAddressesVisible: define.lateGauge(
      'client_addresses_visible',
      'Whether connections from pods to Services come with the address of the pod: 1 or 0.',
    ),
    beforeExpose: (look) => void looks.push(look),
    contentType: registry.contentType,
    expose() {
      for (const look of looks) look();
      return registry.metrics();
    },
  };
}

function makeDefiner(registry: Registry, seriesMax: number) {
  const registers = [registry];
  return {
    counter<Name extends string>(name: string, help: string, labelNames: readonly Name[]): BoundedCounter<Name> {
      const sums = makeSums(labelNames, seriesMax);
      const collect = (): void => sums.take((labels, by) => counter.inc(labels, by));
      const counter: Counter = new Counter({ name: PREFIX + name, help, labelNames, registers, collect });
      return { inc: (labels, by = 1) => sums.add(labels, by) };
    },
    gauge<Name extends string>(name: string, help: string, labelNames: readonly Name[]): BoundedGauge<Name> {
      const gauge = new Gauge({ name: PREFIX + name, help, labelNames, registers });
      const bound = makeBound(labelNames, seriesMax);
      return {
        set: (labels, value) => gauge.set(bound.admit(labels), value),
        add: (labels, by) => gauge.inc(bound.admit(labels), by),
        remove(labels) {
          if (bound.release(labels)) gauge.remove(labels);
        },
      };
    },
    histogram<Name extends string>(name: string, help: string, labelNames: readonly Name[]): BoundedHistogram<Name> {
      const buckets = RECONCILE_BUCKETS_SECONDS;
      const histogram = new Histogram({ name: PREFIX + name, help, labelNames, registers, buckets });
      const bound = makeBound(labelNames, seriesMax);
      return { observe: (labels, seconds) => histogram.observe(bound.admit(labels), seconds) };
    },
    plainGauge(name: string, help: string): PlainGauge {
      const gauge = new Gauge({ name: PREFIX + name, help, registers });
      return { set: (value) => gauge.set(value) };
    },
    /** Without a value until it is set: a gauge without labels else begins with 0. */
    lateGauge(name: string, help: string): PlainGauge {
      const gauge = new Gauge({ name: PREFIX + name, help, registers });
      gauge.remove();
      return { set: (value) => gauge.set(value) };
    },
  };
}

/** Label values that this program chooses from a short list; they stay as they are when the others become "other". */
const CLOSED_LABELS: ReadonlySet<string> = new Set([
  'direction',
  'limit',
  'reason',
  'state',
  'result',
  'rcode',
  'transport',
  'path',
]);

interface Series<Name extends string> {
  readonly id: string;
  readonly labels: Labels<Name>;
}

function makeBound<Name extends string>(labelNames: readonly Name[], seriesMax: number) {
  const known = new Map<string, Series<Name>>();
  // No name of an object or a peer, and no reason, has a line end in it.
  const idOf = (labels: Labels<Name>): string => {
    let id = '';
    for (const name of labelNames) id += `${labels[name]}\n`;
    return id;
  };
  function seriesOf(labels: Labels<Name>): Series<Name> {
    const id = idOf(labels);
    const present = known.get(id);
    if (present !== undefined) return present;
    if (known.size < seriesMax) {
      const series = { id, labels };
      known.set(id, series);
      return series;
    }
    const entries = labelNames.map((name) => [name, CLOSED_LABELS.has(name) ? labels[name] : 'other']);
    const others = Object.fromEntries(entries) as Labels<Name>;
    return { id: idOf(others), labels: others };
  }
  return {
    seriesOf,
    admit: (labels: Labels<Name>): Labels<Name> => seriesOf(labels).labels,
    release: (labels: Labels<Name>): boolean => known.delete(idOf(labels)),
  };
}

/** What is to be added to a counter when somebody looks: a connection adds to five series, and shall not pay for each in the registry. */
function makeSums<Name extends string>(labelNames: readonly Name[], seriesMax: number) {
  const bound = makeBound(labelNames, seriesMax);
  /** By series: as many as are admitted, and those of "other". */
  const sums = new Map<string, { readonly labels: Labels<Name>; by: number }>();
  return {
    add(labels: Labels<Name>, by: number): void {
      const series = bound.seriesOf(labels);
      const sum = sums.get(series.id);
      if (sum === undefined) sums.set(series.id, { labels: series.labels, by });
      else sum.by += by;
    },
    take(tell: (labels: Labels<Name>, by: number) => void): void {
      for (const sum of sums.values()) {
        tell(sum.labels, sum.by);
        sum.by = 0;
      }
    },
  };
}
