/** What the admin socket answers: status, explain, objects, readiness. Whoever can open the socket is the administrator. */
import * as v from 'valibot';
import { AppError } from '../../api/errors.ts';
import { parseKey } from '../../api/object.ts';
import type { ClientIdentity, Self } from '../../gateway/decisions.ts';
import type { Control } from '../../gateway/control.ts';
import { explain } from '../../gateway/explain.ts';
import type { AdminRoutes } from '../../runtime/admin.ts';
import { COMMON_KINDS, type Caches, type CommonKind } from '../../store/caches.ts';
import type { StatusReport } from './status.ts';

export interface AdminRoutesOptions {
  readonly self: Self;
  readonly client: ClientIdentity;
  readonly zones: readonly string[];
  /** How commands name the store of this peer. */
  readonly store: string;
  readonly caches: Caches;
  readonly control: Control;
  status(): StatusReport;
  /** What this process is still waiting for; empty when it is ready. */
  missing(): readonly string[];
}

export function makeAdminRoutes(options: AdminRoutesOptions): AdminRoutes {
  const { self, client, zones, store, caches, control, status, missing } = options;
  return {
    'GET /ready': () => Promise.resolve({ missing: missing() }),
    'GET /status': () => Promise.resolve(status()),
    'POST /explain': (body) => {
      const { target } = parseBody(v.object({ target: v.string() }), body);
      const { snapshot } = control;
      if (snapshot === undefined)
        throw new AppError('ERR_TIMEOUT', 'gateway: has no snapshot yet', { retryable: true });
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
        peer: (name) => control.peer(name),
        probe: (source, port, mode) => control.probe({ client, source, port, mode }),
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

function parseBody<T>(schema: v.GenericSchema<unknown, T>, body: unknown): T {
  const parsed = v.safeParse(schema, body);
  if (!parsed.success) throw new AppError('ERR_USAGE', 'request: its body is not what this route takes');
  return parsed.output;
}
