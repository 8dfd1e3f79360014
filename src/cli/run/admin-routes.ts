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
import { toRoutes } from '../../gateway/routes.ts';
import { POLICY_KINDS } from '../../policy/read.ts';
import type { AdminRoutes } from '../../runtime/admin.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import { COMMON_KINDS, type CommonKind } from '../../store/caches.ts';
import { ABSENCE_KINDS, explainAbsence, type AbsenceInput } from './absence.ts';
import { changePolicies, policyChanges } from '../test-policy-diff.ts';
import { policyQuestion } from '../test-policy-question.ts';
import { testPolicy } from '../test-policy.ts';
import { HOST_CLIENT } from './client-argument.ts';
import type { FabricReport } from './fabric-status.ts';
import type { Read, ReadingsOf } from './reading.ts';
import { STATUS_KINDS, type StatusReport } from './status.ts';

export interface AdminRoutesOptions {
  readonly self: Self;
  /** Who a client is that somebody asks about. @throws {AppError} `ERR_USAGE` or `ERR_NOT_FOUND` */
  client(text: string): ClientIdentity;
  readonly zones: readonly string[];
  /** How commands name the store of this peer. */
  readonly store: string;
  readonly read: Read;
  readonly control: Control;
  /** Manifests that are not in force as they stand. */
  readonly problems: AbsenceInput['problems'];
  status(readings: ReadingsOf<(typeof STATUS_KINDS)[number]>): StatusReport;
  fabric(): FabricReport;
  readonly metrics: Pick<Metrics, 'expose'>;
  /** What this process is still waiting for; empty when it is ready. */
  missing(): readonly string[];
  /** How many records of a peer, or objects of the manifests folder when none is named, are let go of that were held. */
  acceptLoss(peer: string | undefined): number;
}

export function makeAdminRoutes(options: AdminRoutesOptions): AdminRoutes {
  const { self, client, zones, store, read, control, problems, status, missing } = options;
  const { fabric, metrics, acceptLoss } = options;
  const peer = (name: string) => control.peer(name);
  /** A question as some client would ask it. */
  const askAs = (text: string) => {
    const identity = client(text);
    return { client: identity, probe: (question: ExplainProbe) => control.probe({ client: identity, ...question }) };
  };
  return {
    'GET /ready': () => Promise.resolve({ missing: missing() }),
    'GET /status': async () => status(await read(STATUS_KINDS)),
    'GET /fabric': () => Promise.resolve(fabric()),
    'GET /closings': () => Promise.resolve(control.closings()),
    'GET /metrics': () => metrics.expose(),
    'POST /probe': (body) => {
      const { client: asker, target } = parseBody(question, body);
      return probeImport({ target, zones, self, snapshot: snapshotOf(control), ...askAs(asker) });
    },
    'POST /explain': async (body) => {
      const { client: asker, target } = parseBody(question, body);
      const snapshot = snapshotOf(control);
      const { ImportBinding: bindings } = await read(['ImportBinding']);
      return explain({
        target,
        zones,
        self,
        store,
        snapshot,
        binding: ({ namespace, name }) =>
          bindings.list().find(({ spec }) => spec.import.namespace === namespace && spec.import.name === name),
        // It adds to a message: what decides is known here, with or without an API server.
        face: (key) =>
          read(['Import', 'ServiceImport']).then(
            (found) => found.Import.get(key) ?? found.ServiceImport.get(key),
            () => undefined,
          ),
        explainAbsence: async (key) =>
          explainAbsence({ self, store, caches: await read(ABSENCE_KINDS), peer, problems }, key),
        peer,
        ...askAs(asker),
      });
    },
    'POST /test-policy': (body) => {
      const asked = parseBody(policyQuestion, body);
      const { client: asker = { unidentified: 'no-pod' } as const } = asked;
      const identity = typeof asker === 'string' ? client(asker) : asker;
      const world = { self, routes: toRoutes(snapshotOf(control)), missing: 'refused' } as const;
      return Promise.resolve(testPolicy({ world, question: asked, client: identity }));
    },
    'POST /test-policy-diff': async (body) => {
      const changes = parseBody(policyChanges, body);
      const { next, difference } = changePolicies(await read(POLICY_KINDS), changes);
      return { ...(await control.foresee(next)), policies: difference };
    },
    'POST /accept-loss': (body) => {
      const { peer: name } = parseBody(v.object({ peer: v.exactOptional(v.string()) }), body);
      const accepted = acceptLoss(name);
      if (accepted > 0) return Promise.resolve({ accepted });
      const fix =
        'see "npx clusterlink-mcs status --fabric"; in a cluster only one gateway pod knows: annotate the Peer instead';
      throw new AppError('ERR_NOT_FOUND', `${name ?? 'manifests folder'}: nothing is held`, { fix });
    },
    'POST /objects': async (body) => {
      const { kind, key } = parseBody(v.object({ kind: v.string(), key: v.optional(v.string()) }), body);
      if (!isCommonKind(kind)) {
        throw new AppError('ERR_USAGE', `${JSON.stringify(kind)} is not a kind`, {
          fix: `use one of ${COMMON_KINDS.join(', ')}`,
        });
      }
      const { [kind]: reading } = await read([kind]);
      if (key === undefined) return reading.list();
      const object = reading.get(parseKey(key));
      if (object === undefined) throw new AppError('ERR_NOT_FOUND', `${kind} ${key}: is not there`);
      return object;
    },
  };
}

const question = v.object({ client: v.optional(v.string(), HOST_CLIENT), target: v.string() });

function isCommonKind(kind: string): kind is CommonKind {
  return COMMON_KINDS.includes(kind as CommonKind);
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
