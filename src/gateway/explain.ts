/**
 * Walks the way of a connection, hop by hop, with the code that really decides; the first failure has a code and a remedy. What
 * the far side thinks of it is asked by a probe over the real session: it says no more than it tells any client.
 */
import type { IImportBinding } from '../api/generated/ImportBinding.ts';
import { findCondition } from '../api/conditions.ts';
import { formatKey, type ObjectKey } from '../api/object.ts';
import { REASONS } from '../api/reasons.ts';
import { explainSource } from './explain-source.ts';
import { parseTarget } from './explain-target.ts';
import type { ExplainInput, Explanation, Hop, ImportFace } from './hops.ts';
import { EXPLAIN_SOURCES_MAX } from './limits.ts';
import type { ImportRoute } from './messages.ts';
import { toRoutes } from './routes.ts';
import { orderAsRuled } from './source-choice.ts';

export type { ExplainInput, Explanation, Hop } from './hops.ts';

/** Takes {@link EXPLAIN_TIMEOUT_MS} at most. */
export async function explain(input: ExplainInput): Promise<Explanation> {
  const { target, zones, snapshot, binding: bindingOf } = input;
  const parsed = parseTarget(target, zones);
  if ('failure' in parsed) return { ok: false, hops: [parsed.failure] };
  const { key, port } = parsed;
  const object = formatKey(key);
  const named: Hop = { hop: 'name', ok: true, subject: target, message: `means the import ${object}` };

  const binding = bindingOf(key);
  const routes = toRoutes(snapshot);
  const route = routes.imports.get(object);
  if (binding === undefined && route === undefined) {
    const absence = await input.explainAbsence(key);
    return { ok: false, hops: absence.hop === 'name' ? [absence] : [named, absence] };
  }
  const face = await input.face(key);
  const imported = explainImport({ key, port, route, binding, face });
  if (!imported.ok || route === undefined) return { ok: false, hops: [named, imported] };
  const known = [named, imported, explainOwner(route, binding)];

  const offering = route.sources.filter(({ ports }) => ports.includes(port));
  const sources = orderAsRuled(offering, { self: input.self.name, route }).slice(0, EXPLAIN_SOURCES_MAX);
  const walks = await Promise.all(sources.map((source) => explainSource({ input, routes, route, source, port })));
  const walk = walks.find((hops) => hops.at(-1)?.ok) ?? walks[0] ?? [explainNoSource(object, port)];
  return { ok: walk.at(-1)?.ok === true, hops: [...known, ...walk] };
}

interface ImportQuestion {
  readonly key: ObjectKey;
  readonly port: number;
  readonly route: ImportRoute | undefined;
  readonly binding: IImportBinding | undefined;
  readonly face: ImportFace | undefined;
}

function explainImport({ key, port, route, binding, face }: ImportQuestion): Hop {
  const subject = formatKey(key);
  const fail = (message: string, code: string, fix: string): Hop => {
    return { hop: 'import', ok: false, subject, message, code, fix };
  };
  if (binding?.spec.type === 'Headless') {
    const fix = 'export a Service that has a cluster IP';
    return fail('is headless, which the gateway does not serve yet', 'HeadlessNotServed', fix);
  }
  if (route === undefined) {
    return fail('is on its way to the gateway', REASONS.NoUsableSource, 'ask again in a moment');
  }
  const ready = findCondition(face?.status?.conditions, 'Ready');
  if (route.ips.length === 0) {
    const { reason, message } = ready ?? { reason: 'NoAddress', message: 'has no address' };
    return fail(message, reason, 'give this peer a larger range of addresses (configuration vips)');
  }
  const ofPort = route.ports.filter((candidate) => candidate.port === port);
  const ports = route.ports.filter(({ protocol }) => protocol === 'TCP').map((candidate) => candidate.port);
  if (!ofPort.some(({ protocol }) => protocol === 'TCP')) {
    const fix = ports.length === 0 ? 'export a TCP port' : `use one of its TCP ports: ${ports.join(', ')}`;
    return ofPort.length === 0
      ? fail(`has no port ${port}`, REASONS.NothingOffered, fix)
      : fail(`has port ${port} for ${ofPort[0]?.protocol}, which gateways do not carry`, 'ProtocolNotServed', fix);
  }
  const listener = binding?.status?.listeners?.find((candidate) => candidate.port === port);
  if (listener?.state === 'Failed') {
    const fix = 'free the address and port that the message names';
    return fail(listener.message ?? 'cannot listen', listener.reason ?? 'AddressInUse', fix);
  }
  const isElsewhere = listener?.listenPort !== undefined && listener.listenPort !== port;
  const where = isElsewhere ? `, port ${listener.listenPort} in the place of ${port}` : '';
  const readiness = `Ready=${ready?.status ?? 'Unknown'} ${ready?.message ?? ''}`.trim();
  const message = `${route.ips.join(', ')}${where}; ${readiness}${describeService(face)}`;
  const advice = {
    code: REASONS.PortRemapped,
    fix: `clients connect to port ${listener?.listenPort}: it is in the SRV record`,
  };
  return { hop: 'import', ok: true, subject, message, ...(isElsewhere ? advice : {}) };
}

/** Of an Import, whose clients know its Service: where that is somebody else's, or missing, they arrive elsewhere. */
function describeService(face: ImportFace | undefined): string {
  const valid = findCondition(face?.status?.conditions, 'ImportServiceValid');
  return valid?.status === 'False' ? `; ImportServiceValid=False ${valid.message}` : '';
}

/** How it chooses among sources too: that is why the next hops are about one and not another. */
function explainOwner(route: ImportRoute, binding: IImportBinding | undefined): Hop {
  const { kind, namespace = '', name } = binding?.spec.owner ?? { kind: 'ClusterImportRule', name: 'unknown' };
  return {
    hop: 'rule',
    ok: true,
    subject: `${kind} ${formatKey({ namespace, name })}`,
    message: `makes the import ${formatKey(route.key)}; ${describeChoice(route)}`,
  };
}

function describeChoice({ sources, scheme = 'RoundRobin', localFirst, affinityTimeoutSeconds }: ImportRoute): string {
  const count = `${sources.length} ${sources.length === 1 ? 'source' : 'sources'}`;
  const local = localFirst ? ', local first' : '';
  const sticky = affinityTimeoutSeconds === undefined ? '' : `, a client stays for ${affinityTimeoutSeconds} s`;
  return `${count} by ${scheme}${local}${sticky}`;
}

function explainNoSource(subject: string, port: number): Hop {
  const fix = 'look at "npx clusterlink-mcs status": is the exporter offering this port?';
  const message = `no source has port ${port}`;
  return { hop: 'source', ok: false, subject, message, code: REASONS.NoUsableSource, fix };
}
