/** One server-side apply: skipped when it would change nothing, repeated without what the served schema does not have. */
import { AppError } from '../../api/errors.ts';
import { KINDS, type KindName } from '../../api/kinds.ts';
import { formatKey, type KubeObject, type ObjectKey } from '../../api/object.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { JsonMap } from '../json.ts';
import type { ApiAnswer, ApiRequest } from './transport.ts';
import type { Discovery } from './discovery.ts';
import type { KnownObjects, Write } from './known-objects.ts';
import { DROPPED_FIELDS_MAX, REQUEST_TIMEOUT_MS, UNDECLARED_LIFE_MS } from './limits.ts';
import type { KubernetesLogger } from './logger.ts';
import { groupVersionPath, objectPath, withQuery } from './paths.ts';
import { receive } from './received.ts';
import { toAppError, undeclaredFields, type Attempt } from './status.ts';
import { isUnknownHere, withoutFields } from './undeclared.ts';

export interface ApplyTask {
  readonly kind: KindName;
  readonly key: ObjectKey;
  readonly verb: 'apply' | 'apply-status';
  /** What is wanted, without identity and, by the verb, without or with nothing but the status. */
  readonly desired: JsonMap;
  readonly uid: string | undefined;
  readonly resourceVersion: string | undefined;
  readonly fieldManager: string;
  readonly force?: boolean;
}

export interface ApplyContext {
  /** Undefined when nobody watches the kind: then every write is sent. */
  readonly known: KnownObjects | undefined;
  /** Sends, with the version that is served. */
  readonly ask: (attempt: Attempt, toRequest: (version: string) => ApiRequest) => Promise<ApiAnswer>;
}

export interface Applier {
  apply(task: ApplyTask, context: ApplyContext): Promise<{ readonly value: KubeObject; readonly isSent: boolean }>;
}

export interface ApplierOptions {
  readonly discovery: Discovery;
  readonly clock: Clock;
  readonly logger: KubernetesLogger;
}

/** What the served schema of a kind was found not to have. */
interface Undeclared {
  readonly version: string | undefined;
  readonly atMs: number;
  readonly fields: Set<string>;
}

export function makeApplier({ discovery, clock, logger }: ApplierOptions): Applier {
  const undeclaredByKind = new Map<KindName, Undeclared>();

  /** Forgotten after a while: a CRD that is upgraded may have the field under the same version. */
  function undeclaredOf(kind: KindName): Undeclared {
    const version = discovery.known(kind);
    const known = undeclaredByKind.get(kind);
    if (known !== undefined && known.version === version && clock.nowMs() - known.atMs < UNDECLARED_LIFE_MS)
      return known;
    const fresh = { version, atMs: clock.nowMs(), fields: new Set<string>() };
    undeclaredByKind.set(kind, fresh);
    return fresh;
  }

  /** Whether the refusal is only about fields that we know and the server does not; then they are left out from now on. */
  function learn({ kind, desired }: ApplyTask, answer: ApiAnswer): boolean {
    const fields = undeclaredFields(answer);
    const object = { apiVersion: 'v1', kind, metadata: { name: 'x' }, ...desired };
    const { fields: known, version } = undeclaredOf(kind);
    const areOurs =
      fields.length > 0 && fields.every((field) => !known.has(field) && !isUnknownHere(kind, object, field));
    if (!areOurs || known.size + fields.length > DROPPED_FIELDS_MAX) return false;
    for (const field of fields) known.add(field);
    logger.warn({ kind, version, fields }, 'Served CRD does not have fields that are written here; they are left out');
    return true;
  }

  async function send(task: ApplyTask, { ask }: ApplyContext): Promise<{ answer: ApiAnswer; desired: JsonMap }> {
    const { kind, key, verb, uid, resourceVersion, fieldManager, force = false } = task;
    const attempt: Attempt = { kind, key, verb };
    const identity = {
      name: key.name,
      ...(key.namespace === '' ? {} : { namespace: key.namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    };
    for (;;) {
      const desired = withoutFields(task.desired, undeclaredOf(kind).fields);
      const metadata = { ...((desired['metadata'] as JsonMap | undefined) ?? {}), ...identity };
      const answer = await ask(attempt, (version) => ({
        method: 'PATCH',
        path: withQuery(`${objectPath(kind, version, key)}${verb === 'apply-status' ? '/status' : ''}`, {
          fieldManager,
          force: String(force),
        }),
        contentType: 'application/apply-patch+yaml',
        body: { ...desired, apiVersion: apiVersion(kind, version), kind, metadata },
        timeoutMs: REQUEST_TIMEOUT_MS,
      }));
      if (answer.status < 300 || !learn(task, answer)) return { answer, desired };
    }
  }

  return {
    async apply(task, context) {
      const { kind, key, verb, uid, resourceVersion, fieldManager } = task;
      const toWrite = (desired: JsonMap): Write => ({
        manager: fieldManager,
        subresource: verb === 'apply-status' ? 'status' : undefined,
        desired,
        uid,
        resourceVersion,
      });
      const unchanged = context.known?.unchangedBy(
        key,
        toWrite(withoutFields(task.desired, undeclaredOf(kind).fields)),
      );
      if (unchanged !== undefined) return { value: unchanged, isSent: false };
      const { answer, desired } = await send(task, context).catch((error: unknown) => {
        // Nobody knows whether it was done.
        context.known?.doubt(key);
        throw error;
      });
      if (answer.status < 200 || answer.status > 299) {
        if (answer.status >= 500) context.known?.doubt(key);
        throw toAppError({ kind, key, verb }, answer);
      }
      const received = receive(kind, answer.body);
      if (received === undefined) {
        throw new AppError(
          'ERR_STORE_UNAVAILABLE',
          `${kind} ${formatKey(key)}: the API server answered with no object`,
          {
            retryable: true,
            fix: 'Look for a proxy between us and the API server.',
          },
        );
      }
      context.known?.wrote(received, toWrite(desired));
      return { value: received.object, isSent: true };
    },
  };
}

function apiVersion(kind: KindName, version: string): string {
  return groupVersionPath(KINDS[kind].group, version).replace(/^\/apis?\//, '');
}
