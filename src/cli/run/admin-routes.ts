/** What the admin socket answers: status, explain, probe, objects, metrics, readiness. Whoever can open the socket is the administrator. */
import * as v from 'valibot';
import { AppError } from '../../api/errors.ts';
import { parseKey } from '../../api/object.ts';
import type { ClientIdentity, Self } from '../../gateway/decisions.ts';
import type { Control } from '../../gateway/control.ts';
import { explain } from '../../gateway/explain.ts';
import type { ExplainProbe } from '../../gateway/hops.ts';
import type { GatewaySnapshot } from '../../gateway/messages.ts';
import { probeImport } from '../../gateway/probe-import.ts';
import type { AdminRoutes } from '../../runtime/admin.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import { COMMON_KINDS, type Caches, type CommonKind } from '../../store/caches.ts';
import { explainAbsence, type AbsenceInput } from './absence.ts';
import type { FabricReport } from './fabric-status.ts';
import type { StatusReport } from './status.ts';

export interface AdminRoutesOptions {
  readonly self: Self;
  readonly client: ClientIdentity;
  readonly zones: readonly string[];
  /** How commands name the store of this peer. */
  readonly store: string;
  readonly caches: Caches;
  readonly control: Control;
  /** Manifests that are not in force as they stand. */
  readonly problems: AbsenceInput['problems'];
  status(): StatusReport;
  fabric(): FabricReport;
  readonly metrics: Pick<Metrics, 'expose'>;
  /** What this process is still waiting for; empty when it is ready. */
  missing(): readonly string[];
}

export function makeAdminRoutes(options: AdminRoutesOptions): AdminRoutes {
  const { self, client, zones, store, caches, control, problems, status, missing } = options;
  const { fabric, metrics } = options;
  const peer = (name: string) => control.peer(name);
  const probe = (question: ExplainProbe) => control.probe({ client, ...question });
  return {
    'GET /ready': () => Promise.resolve({ missing: missing() }),
    'GET /status': () => Promise.resolve(status()),
    'GET /fabric': () => Promise.resolve(fabric()),
    'GET /closings': () => Promise.resolve(control.closings()),
    'GET /metrics': () => metrics.expose(),
    'POST /probe': (body) => {
      const { target } = parseBody(v.object({ target: v.string() }), body);
      return probeImport({ target, zones, self, client, snapshot: snapshotOf(control), probe });
    },
    'POST /explain': (body) => {
      const { target } = parseBody(v.object({ target: v.string() }), body);
      const snapshot = snapshotOf(control);
      return explain({
        target,
        zones,
        self,
        client,
        store,
        snapshot,
        binding: ({ namespace, name }) =>
          caches.ImportBinding.list().find(
            ({ spec }) => spec.import.namespace === namespace && spec.import.name === name,
          ),
        serviceImport: (key) => caches.ServiceImport.get(key),
        explainAbsence: (key) => explainAbsence({ self, store, caches, peer, problems }, key),
        peer,
        probe,
      });
    },
    'POST /objects': (body) => {
      const { kind, key } = parseBody(v.object({ kind: v.string(), key: v.optional(v.string()) }), body);
      const cache = COMMON_KINDS.includes(kind as CommonKind) ? caches[kind as CommonKind] : undefined;
      if (cache === undefined) {
        throw new AppError('ERR_USAGE', `${JSON.stringify(kind)} is not a kind`, {
          fix: `use one of ${COMMON_KINDS.join(', ')}`,
        });
      }
      if (key === undefined) return Promise.resolve(cache.list());
      const object = cache.get(parseKey(key));
      if (object === undefined) throw new AppError('ERR_NOT_FOUND', `${kind} ${key}: is not there`);
      return Promise.resolve(object);
    },
  };
}

/** @throws {AppError} `ERR_TIMEOUT` in the first moments. */
function snapshotOf({ snapshot }: Control): GatewaySnapshot {
  if (snapshot === undefined) throw new AppError('ERR_TIMEOUT', 'gateway: has no snapshot yet', { retryable: true });
  return snapshot;
}

function parseBody<T>(schema: v.GenericSchema<unknown, T>, body: unknown): T {
  const parsed = v.safeParse(schema, body);
  if (!parsed.success) throw new AppError('ERR_USAGE', 'request: its body is not what this route takes');
  return parsed.output;
}
