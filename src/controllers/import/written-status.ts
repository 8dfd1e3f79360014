/** Writes what is said of a ClusterLink Import: of the user's object the status alone is ours. */
import { dateConditions, type ConditionDraft } from '../../api/conditions.ts';
import type { IImport } from '../../api/generated/Import.ts';
import type { ImportStatus } from '../../merge/types.ts';
import type { Clock } from '../../runtime/clock.ts';
import { timestamp } from '../controller.ts';
import { isLostWithNamespace } from '../namespaces.ts';
import type { Writer } from '../writer.ts';
import { desiredRefusedConditions } from './import-conditions.ts';
import type { ImportCaches } from './observe.ts';

export interface WrittenStatus {
  applyConditions(object: IImport, drafts: readonly ConditionDraft[]): Promise<void>;
  /** Of an Import of which nothing was made. */
  applyRefused(written: ImportStatus): Promise<void>;
}

export interface WrittenStatusOptions {
  readonly caches: ImportCaches;
  readonly writer: Writer;
  readonly clock: Pick<Clock, 'nowMs'>;
}

export function makeWrittenStatus({ caches, writer, clock }: WrittenStatusOptions): WrittenStatus {
  async function applyConditions(object: IImport, drafts: readonly ConditionDraft[]): Promise<void> {
    const { apiVersion, metadata, status } = object;
    const { namespace = '', name = '', generation = 1 } = metadata ?? {};
    const conditions = dateConditions(
      drafts.map((draft) => ({ ...draft, observedGeneration: generation })),
      status?.conditions,
      timestamp(clock),
    );
    const body = { metadata: { namespace, name }, status: { conditions } };
    await writer.applyStatus<'Import'>({ apiVersion, kind: 'Import', ...body }, object);
  }

  return {
    applyConditions,
    async applyRefused({ refusal, ...written }) {
      const object = caches.Import.get(written.key);
      if (object === undefined || refusal === undefined) return;
      try {
        await applyConditions(object, desiredRefusedConditions(written, refusal));
      } catch (error) {
        if (!isLostWithNamespace({ error, key: written.key, caches })) throw error;
      }
    },
  };
}
