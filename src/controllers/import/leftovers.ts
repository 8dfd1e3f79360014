/** Takes away what imports leave that are no more: bindings, ServiceImports of ours, and what was written into those of others. */
import { AppError } from '../../api/errors.ts';
import type { IImportBinding } from '../../api/generated/ImportBinding.ts';
import type { IServiceImport } from '../../api/generated/ServiceImport.ts';
import { formatKey, keyOf } from '../../api/object.ts';
import { isWritten } from '../../merge/imports.ts';
import { isOurImport } from '../../merge/requests.ts';
import type { MergedImport } from '../../merge/types.ts';
import type { Store } from '../../store/store.ts';
import { runConcurrently } from '../concurrently.ts';
import { CONTROLLER_MANAGER } from '../controller.ts';
import { PARALLEL_WRITES_MAX } from '../limits.ts';
import type { Writer } from '../writer.ts';
import { bindingName } from './desired.ts';
import type { ImportCaches } from './observe.ts';

export interface Leftovers {
  /** Everything that is not of these imports; what could not be taken away is the result. */
  remove(kept: readonly MergedImport[], signal: AbortSignal): Promise<unknown[]>;
}

export interface LeftoversOptions {
  readonly store: Store;
  readonly caches: ImportCaches;
  readonly writer: Writer;
}

export function makeLeftovers({ store, caches, writer }: LeftoversOptions): Leftovers {
  async function removeBinding(binding: IImportBinding): Promise<void> {
    const object = caches.ServiceImport.get(binding.spec.import);
    if (object !== undefined && !isOurImport(object)) await release(object);
    await writer.remove(binding);
  }

  /** Takes back what was written into somebody else's ServiceImport, and nothing else. */
  async function release({ apiVersion, metadata }: IServiceImport): Promise<void> {
    const { namespace = '', name = '', uid = '' } = metadata ?? {};
    const nothing = { apiVersion, kind: 'ServiceImport' as const, metadata: { namespace, name, uid } };
    const options = { fieldManager: CONTROLLER_MANAGER };
    try {
      await store.apply(nothing, options);
      await store.applyStatus(nothing, options);
    } catch (error) {
      // It is gone, or another one is there: then nothing of ours is in it. Or our mark was taken off one that we made, and
      // admission keeps us from it: it is somebody else's now, and must not hold up the rest.
      const tolerated = ['ERR_CONFLICT', 'ERR_INVALID_OBJECT', 'ERR_NOT_FOUND'];
      if (!(error instanceof AppError) || !tolerated.includes(error.code)) throw error;
    }
  }

  return {
    async remove(imports, signal) {
      const kept = new Set(imports.map(({ key }) => formatKey(key)));
      const shown = new Set(imports.filter((merged) => !isWritten(merged)).map(({ key }) => formatKey(key)));
      const gone = caches.ImportBinding.list().filter(
        ({ metadata, spec }) => !kept.has(formatKey(spec.import)) || metadata?.name !== bindingName(spec.import),
      );
      // A binding that was lost must not leave its ServiceImport behind; with an Import none goes.
      const orphans = caches.ServiceImport.list().filter(
        (object) => isOurImport(object) && !shown.has(formatKey(keyOf(object))),
      );
      const concurrent = { concurrency: PARALLEL_WRITES_MAX, signal };
      return [
        ...(await runConcurrently(orphans, (object) => writer.remove(object), concurrent)),
        ...(await runConcurrently(gone, removeBinding, concurrent)),
      ];
    },
  };
}
