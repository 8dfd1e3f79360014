/**
 * Notes on a ServiceExport which TCP port was its first one (docs/adr/0019): ClusterLink peers know one port of an export, and it
 * must stay the same when the Service's ports change their order, over restarts and for every gateway.
 */
import { AppError } from '../../api/errors.ts';
import type { IService } from '../../api/generated/Service.ts';
import type { IServiceExport } from '../../api/generated/ServiceExport.ts';
import { ANNOTATIONS } from '../../api/names.ts';
import { keyOf } from '../../api/object.ts';
import { findFirstPort } from '../../catalogue/default-port.ts';
import { portsOf } from '../../catalogue/record.ts';
import type { Store } from '../../store/store.ts';
import { CONTROLLER_MANAGER } from '../controller.ts';

export interface FirstPortInput {
  readonly store: Store;
  readonly serviceExport: IServiceExport;
  readonly service: IService;
}

/** Writes that one annotation, and only when it is not there yet or its port is gone from the Service. */
export async function recordFirstPort({ store, serviceExport, service }: FirstPortInput): Promise<void> {
  const { apiVersion, metadata } = serviceExport;
  const port = findFirstPort(metadata, portsOf(service));
  if (port === undefined || metadata?.annotations?.[ANNOTATIONS.firstPort] === String(port)) return;
  const annotations = { [ANNOTATIONS.firstPort]: String(port) };
  // With the uid: an apply to an export that has gone meanwhile must not make one.
  const body = { ...keyOf(serviceExport), uid: metadata?.uid ?? '', annotations };
  try {
    await store.apply({ apiVersion, kind: 'ServiceExport', metadata: body }, { fieldManager: CONTROLLER_MANAGER });
  } catch (error) {
    // It is gone, or somebody has written the annotation by hand: then it is theirs, and catalogues fall back by themselves.
    const tolerated = ['ERR_CONFLICT', 'ERR_NOT_FOUND'];
    if (!(error instanceof AppError) || !tolerated.includes(error.code)) throw error;
  }
}
