/** Says in ClusterProperties which cluster this is, and of which clusterset. */
import { AppError } from '../../api/errors.ts';
import type { CachesOf } from '../../store/caches.ts';
import type { Store } from '../../store/store.ts';
import { CONTROLLER_MANAGER, type Controller } from '../controller.ts';
import { makeWriter } from '../writer.ts';
import {
  CLUSTER_PROPERTY,
  CLUSTERSET_PROPERTY,
  desiredProperty,
  PROPERTY_NAMES,
  type PropertyName,
} from './desired.ts';

export interface ClusterPropertyControllerOptions {
  /** This peer's name. */
  readonly self: string;
  /** The fabric's name. */
  readonly fabric: string;
  readonly store: Store;
  readonly caches: CachesOf<'ClusterProperty'>;
}

export function makeClusterPropertyController(options: ClusterPropertyControllerOptions): Controller {
  const { self, fabric, store, caches } = options;
  const writer = makeWriter(store, CONTROLLER_MANAGER);
  const values: Readonly<Record<PropertyName, string>> = {
    [CLUSTER_PROPERTY]: self,
    [CLUSTERSET_PROPERTY]: fabric,
  };

  /** @throws {AppError} `ERR_CONFLICT` when somebody else set another value: logged, and tried again when it changes. */
  async function reconcile(text: string): Promise<void> {
    const name = PROPERTY_NAMES.find((known) => known === text);
    if (name === undefined) return;
    const present = caches.ClusterProperty.get({ namespace: '', name });
    const desired = desiredProperty({ name, value: values[name], present });
    if ('problem' in desired) throw new AppError('ERR_CONFLICT', desired.problem.message, { fix: desired.problem.fix });
    if ('apply' in desired) await writer.apply(desired.apply, present);
  }

  return {
    name: 'cluster-property',
    reconcile,
    watches: (enqueue) => [caches.ClusterProperty.onChange(({ name }) => enqueue(name))],
    resync: (enqueue) => PROPERTY_NAMES.forEach((name) => enqueue(name)),
  };
}
