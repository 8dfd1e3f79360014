/** Dials the sources of an import on behalf of a client, without a byte of payload: whether, and how fast, each would serve it. */
import { AppError } from '../api/errors.ts';
import { formatKey } from '../api/object.ts';
import type { Reason } from '../api/reasons.ts';
import { formatSource } from '../api/record.ts';
import { decideEgress } from './decisions.ts';
import { parseTarget } from './explain-target.ts';
import type { ExplainInput } from './hops.ts';
import { EXPLAIN_SOURCES_MAX, EXPLAIN_TIMEOUT_MS } from './limits.ts';
import type { ImportRoute, RouteSource } from './messages.ts';
import { toRoutes, type Routes } from './routes.ts';
import { portThere } from './source-choice.ts';

export type ProbeInput = Pick<ExplainInput, 'client' | 'probe' | 'self' | 'snapshot' | 'target' | 'zones'>;

export interface ProbeReport {
  /** One source at least would serve it. */
  readonly ok: boolean;
  readonly target: string;
  /** In order of precedence. */
  readonly sources: readonly ProbedSource[];
}

export interface ProbedSource {
  /** `peer/namespace/name` */
  readonly source: string;
  readonly ok: boolean;
  /** From the question to the answer: the dial of the endpoint is in it. */
  readonly durationMs: number;
  readonly code?: Reason;
  readonly message: string;
}

/** @throws {AppError} `ERR_USAGE` for what is no name of an import, `ERR_NOT_FOUND` where there is none, or no such port. */
export async function probeImport(input: ProbeInput): Promise<ProbeReport> {
  const { target, zones, snapshot } = input;
  const parsed = parseTarget(target, zones);
  if ('failure' in parsed) {
    const { message, fix } = parsed.failure;
    throw new AppError('ERR_USAGE', `${JSON.stringify(target)}: ${message}`, { fix });
  }
  const routes = toRoutes(snapshot);
  const route = routes.imports.get(formatKey(parsed.key));
  const sources = route?.sources.filter(({ ports }) => ports.includes(parsed.port)) ?? [];
  if (route === undefined || sources.length === 0) {
    const what = route === undefined ? 'there is no such import' : `nobody offers its port ${parsed.port}`;
    const fix = `npx clusterlink-mcs explain host ${formatKey(parsed.key)}:${parsed.port}`;
    throw new AppError('ERR_NOT_FOUND', `${formatKey(parsed.key)}: ${what}`, { fix });
  }
  const { port } = parsed;
  const probed = await Promise.all(
    sources.slice(0, EXPLAIN_SOURCES_MAX).map((source) => probeOne({ input, routes, route, source, port })),
  );
  return { ok: probed.some(({ ok }) => ok), target, sources: probed };
}

interface OneProbe {
  readonly input: ProbeInput;
  readonly routes: Routes;
  readonly route: ImportRoute;
  readonly source: RouteSource;
  readonly port: number;
}

async function probeOne({ input, routes, route, source, port }: OneProbe): Promise<ProbedSource> {
  const { self, client, probe } = input;
  const startedMs = performance.now();
  const egress = decideEgress({ routes, self, client, route, source });
  const outcome = egress.allowed
    ? await probe({ source, port: portThere(source, port), mode: 'dial', timeoutMs: EXPLAIN_TIMEOUT_MS })
    : ({ ok: false, reason: egress.reason, message: egress.message } as const);
  const durationMs = Math.round((performance.now() - startedMs) * 10) / 10;
  const said = { source: formatSource(source), durationMs };
  return outcome.ok
    ? { ...said, ok: true, message: 'an endpoint was connected to' }
    : { ...said, ok: false, code: outcome.reason, message: outcome.message };
}
