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
  readonly bytes: BoundedCounter<'direction'>;
  readonly sessions: BoundedGauge<'peer'>;
  readonly handshakesRefused: BoundedCounter<'reason'>;
  /** Sources of imports that were put last since connections to them failed. */
  readonly sourcesEjected: BoundedCounter<'peer' | 'reason'>;
  /** `state`: sent or acknowledged. */
  readonly snapshotVersion: BoundedGauge<'component' | 'state'>;
  readonly dnsQueries: BoundedCounter<'type' | 'rcode'>;
  /** `result`: ok or error. */
  readonly reconciles: BoundedCounter<'controller' | 'result'>;
  readonly reconcileSeconds: BoundedHistogram<'controller'>;
  readonly storeProblems: PlainGauge;
  /** What is asked of an API server; `result`: ok, or why not. */
  readonly storeLists: BoundedCounter<'kind' | 'result'>;
  readonly storeWatches: BoundedCounter<'kind' | 'result'>;
  /** `result`: sent, skipped (nothing to change), or an error code. */
  readonly storeWrites: BoundedCounter<'kind' | 'verb' | 'result'>;
  /** Seconds left; negative when it has expired. */
  readonly certificateExpirySeconds: PlainGauge;
  /** Of a gateway in a cluster: 1 or 0, and no value while it is not known. */
  readonly clientAddressesVisible: PlainGauge;
}

export interface MetricsOptions {
  readonly version: string;
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
  seriesMax = METRIC_SERIES_MAX,
  processMetrics = 'none',
}: MetricsOptions): Metrics {
  const registry = new Registry();
  const define = makeDefiner(registry, seriesMax);
  if (processMetrics === 'collected') collectDefaultMetrics({ register: registry });
  const buildInfo = define.gauge('build_info', 'Always 1; says which version runs.', ['version', 'node']);
  buildInfo.set({ version, node: process.versions.node }, 1);
  return {
    connections: define.counter('connections_total', 'Connections that ended or were refused, by the reason of it.', [
      'direction',
      'import_or_export',
      'peer',
      'reason',
    ]),
    connectionsOpen: define.gauge('connections_open', 'Connections that are open now.', ['direction']),
    bytes: define.counter('bytes_total', 'Payload bytes forwarded, both ways together.', ['direction']),
    sessions: define.gauge('sessions', 'Sessions that are open with a peer.', ['peer']),
    handshakesRefused: define.counter('handshakes_refused_total', 'Callers turned away before they had a name.', [
      'reason',
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
    dnsQueries: define.counter('dns_queries_total', 'DNS queries answered.', ['type', 'rcode']),
    reconciles: define.counter('reconcile_total', 'Runs of reconcilers.', ['controller', 'result']),
    reconcileSeconds: define.histogram('reconcile_seconds', 'How long a run of a reconciler took.', ['controller']),
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
    certificateExpirySeconds: define.plainGauge(
      'certificate_expiry_seconds',
      "Seconds until this peer's certificate expires.",
    ),
    clientAddressesVisible: define.lateGauge(
      'client_addresses_visible',
      'Whether connections from pods to Services come with the address of the pod: 1 or 0.',
    ),
    contentType: registry.contentType,
    expose: () => registry.metrics(),
  };
}

function makeDefiner(registry: Registry, seriesMax: number) {
  const registers = [registry];
  return {
    counter<Name extends string>(name: string, help: string, labelNames: readonly Name[]): BoundedCounter<Name> {
      const counter = new Counter({ name: PREFIX + name, help, labelNames, registers });
      const bound = makeBound(labelNames, seriesMax);
      return { inc: (labels, by = 1) => counter.inc(bound.admit(labels), by) };
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
const CLOSED_LABELS: ReadonlySet<string> = new Set(['direction', 'reason', 'state', 'result', 'rcode']);

function makeBound<Name extends string>(labelNames: readonly Name[], seriesMax: number) {
  const known = new Set<string>();
  const idOf = (labels: Labels<Name>): string => JSON.stringify(labelNames.map((name) => labels[name]));
  return {
    admit(labels: Labels<Name>): Labels<Name> {
      const id = idOf(labels);
      if (known.has(id)) return labels;
      if (known.size < seriesMax) {
        known.add(id);
        return labels;
      }
      const entries = labelNames.map((name) => [name, CLOSED_LABELS.has(name) ? labels[name] : 'other']);
      return Object.fromEntries(entries) as Labels<Name>;
    },
    release: (labels: Labels<Name>): boolean => known.delete(idOf(labels)),
  };
}
