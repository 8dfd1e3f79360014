/**
 * Walks the way of a connection, hop by hop, with the code that really decides; the first failure has a code and a remedy.
 * Pure but for the probe, which asks the far side over the real session.
 */
import type { IImportBinding } from '../api/generated/ImportBinding.ts';
import type { IServiceImport } from '../api/generated/ServiceImport.ts';
import { findCondition } from '../api/conditions.ts';
import { formatKey, type ObjectKey } from '../api/object.ts';
import { REASONS } from '../api/reasons.ts';
import { formatSource, type SourceKey } from '../api/record.ts';
import { explainUnidentified, isUnidentified, type ClientIdentity } from './client-identity.ts';
import { decideEgress, type Self } from './decisions.ts';
import type { GatewaySnapshot, PeerObservation, ProbeOutcome, RouteSource } from './messages.ts';
import { toRoutes } from './routes.ts';
import { usabilityOf } from './source-choice.ts';

export interface Hop {
  readonly hop: 'name' | 'import' | 'source' | 'egress' | 'session' | 'ingress' | 'dial';
  readonly ok: boolean;
  /** What the hop is about: a name, an object, a source. */
  readonly subject: string;
  readonly message: string;
  readonly code?: string;
  readonly fix?: string;
}

export interface Explanation {
  readonly ok: boolean;
  readonly hops: readonly Hop[];
}

export interface ExplainInput {
  /** A DNS name below the zone, or `namespace/name`, with a port: `web.store.svc.clusterset.local:80`. */
  readonly target: string;
  readonly zones: readonly string[];
  readonly self: Self;
  readonly client: ClientIdentity;
  readonly snapshot: GatewaySnapshot;
  /** How commands name the store of this peer, for remedies that can be run as they stand. */
  readonly store: string;
  readonly binding: (key: ObjectKey) => IImportBinding | undefined;
  readonly serviceImport: (key: ObjectKey) => IServiceImport | undefined;
  readonly peer: (name: string) => PeerObservation | undefined;
  probe(source: SourceKey, port: number, mode: 'decide' | 'dial'): Promise<ProbeOutcome>;
}

export async function explain(input: ExplainInput): Promise<Explanation> {
  const hops: Hop[] = [];
  const fail = (hop: Hop): Explanation => ({ ok: false, hops: [...hops, hop] });
  const parsed = parseTarget(input.target, input.zones);
  if (parsed === undefined) {
    const fix = `ask for NAME.NAMESPACE.svc.${input.zones[0] ?? 'clusterset.local'}:PORT, or NAMESPACE/NAME:PORT`;
    return fail({
      hop: 'name',
      ok: false,
      subject: input.target,
      message: 'is not a name of an import',
      code: 'ERR_USAGE',
      fix,
    });
  }
  const { key, port } = parsed;
  const object = formatKey(key);
  hops.push({ hop: 'name', ok: true, subject: input.target, message: `means the import ${object}` });

  const route = toRoutes(input.snapshot).imports.get(object);
  if (route === undefined || !route.ports.some((candidate) => candidate.port === port))
    return fail(explainMissing(input, key, port));
  const condition = findCondition(input.serviceImport(key)?.status?.conditions, 'Ready');
  hops.push({
    hop: 'import',
    ok: true,
    subject: object,
    message: `${route.ips.join(', ')}; Ready=${condition?.status ?? 'Unknown'} ${condition?.message ?? ''}`.trim(),
  });

  let last: Explanation | undefined;
  for (const source of route.sources.filter(({ ports }) => ports.includes(port))) {
    const walk = await explainSource(input, source, port, object);
    if (walk.ok) return { ok: true, hops: [...hops, ...walk.hops] };
    last ??= { ok: false, hops: [...hops, ...walk.hops] };
  }
  const fix = 'look at "npx clusterlink-mcs status": is the exporter offering this port?';
  return (
    last ??
    fail({
      hop: 'source',
      ok: false,
      subject: object,
      message: `no source has port ${port}`,
      code: REASONS.NoUsableSource,
      fix,
    })
  );
}

async function explainSource(
  input: ExplainInput,
  source: RouteSource,
  port: number,
  object: string,
): Promise<Explanation> {
  const { self, client, snapshot } = input;
  const routes = toRoutes(snapshot);
  const route = routes.imports.get(object);
  if (route === undefined) return { ok: false, hops: [] };
  const subject = formatSource(source);
  const hops: Hop[] = [
    { hop: 'source', ok: true, subject, message: `${source.readyEndpoints} ready endpoints as last said` },
  ];

  const egress = decideEgress({ routes, self, client, route, source });
  if (!egress.allowed) {
    const allow =
      `npx clusterlink-mcs allow --store ${input.store} --namespace ${route.key.namespace} ` +
      `--export ${source.namespace}/${source.name} --to-peer ${source.peer}`;
    const fix = egress.fix ?? allow;
    hops.push({ hop: 'egress', ok: false, subject, message: egress.message, code: egress.reason, fix });
    return { ok: false, hops };
  }
  hops.push({ hop: 'egress', ok: true, subject, message: egress.message });

  if (source.peer !== self.name) {
    const observation = input.peer(source.peer);
    const isUp = observation?.version !== undefined;
    const fix = `see that the gateway of ${source.peer} runs and that the Peer object ${source.peer} names its address: npx clusterlink-mcs status`;
    hops.push({
      hop: 'session',
      ok: isUp,
      subject: source.peer,
      message: isUp
        ? `${observation.sessions} open`
        : (observation?.message ?? 'There is no Peer object of this name.'),
      ...(isUp ? {} : { code: observation?.reason ?? REASONS.PeerUnreachable, fix }),
    });
    if (!isUp) return { ok: false, hops };
  }
  const usable = usabilityOf({ self: self.name, source, reachable: new Set([source.peer]) });
  if (!usable.usable) {
    const fix = `see that the Service ${source.namespace}/${source.name} at ${source.peer} has endpoints that are ready`;
    hops.push({ hop: 'source', ok: false, subject, message: 'has no ready endpoint', code: usable.reason, fix });
    return { ok: false, hops };
  }
  for (const [hop, mode] of [
    ['ingress', 'decide'],
    ['dial', 'dial'],
  ] as const) {
    const outcome = await input.probe(source, port, mode);
    if (outcome.ok) {
      hops.push({
        hop,
        ok: true,
        subject,
        message: hop === 'ingress' ? `${source.peer} admits it` : 'an endpoint answered',
      });
      continue;
    }
    hops.push({
      hop,
      ok: false,
      subject,
      message: outcome.message,
      code: outcome.reason,
      fix: fixFarSide({ outcome, source, client, self: self.name }),
    });
    return { ok: false, hops };
  }
  return { ok: true, hops };
}

function fixFarSide(input: {
  readonly outcome: Extract<ProbeOutcome, { ok: false }>;
  readonly source: RouteSource;
  readonly client: ClientIdentity;
  readonly self: string;
}): string {
  const { outcome, source, client, self } = input;
  if (outcome.reason === REASONS.ClientUnknown && isUnidentified(client)) return explainUnidentified(client).fix;
  if (outcome.reason === REASONS.IngressDenied) {
    return `at ${source.peer}: npx clusterlink-mcs allow --namespace ${source.namespace} --export ${source.namespace}/${source.name} --from-peer ${self}`;
  }
  return `at ${source.peer}: see that the endpoints of ${source.namespace}/${source.name} listen and are permitted by exports.targets`;
}

function explainMissing(input: ExplainInput, key: ObjectKey, port: number): Hop {
  const binding = input.binding(key);
  const object = formatKey(key);
  if (binding === undefined) {
    const fix = `npx clusterlink-mcs import --store ${input.store} NAMESPACE/NAME --from PEER --as ${object}, and see "npx clusterlink-mcs status" for what peers offer`;
    return {
      hop: 'import',
      ok: false,
      subject: object,
      message: 'there is no such import',
      code: REASONS.ImportDeleted,
      fix,
    };
  }
  const ports = binding.spec.ports.map((candidate) => `${candidate.port}/${candidate.protocol}`).join(', ');
  if (binding.spec.type === 'Headless') {
    const fix = 'export a Service that has a cluster IP';
    return {
      hop: 'import',
      ok: false,
      subject: object,
      message: 'is headless, which the gateway does not serve yet',
      code: REASONS.NoUsableSource,
      fix,
    };
  }
  return {
    hop: 'import',
    ok: false,
    subject: object,
    message: `has no port ${port}`,
    code: REASONS.NothingOffered,
    fix: `use one of its ports: ${ports}`,
  };
}

function parseTarget(
  target: string,
  zones: readonly string[],
): { readonly key: ObjectKey; readonly port: number } | undefined {
  const match = /^(.+):(\d{1,5})$/.exec(target.trim());
  const [, name = '', digits = ''] = match ?? [];
  const port = Number(digits);
  if (match === null || port < 1 || port > 65535) return undefined;
  const plain = name.toLowerCase().replace(/\.$/, '');
  const zone = zones.find((candidate) => plain.endsWith(`.svc.${candidate}`));
  const parts = zone === undefined ? plain.split('/').reverse() : plain.slice(0, -`.svc.${zone}`.length).split('.');
  const [service = '', namespace = ''] = parts;
  return parts.length === 2 && service !== '' && namespace !== ''
    ? { key: { namespace, name: service }, port }
    : undefined;
}
