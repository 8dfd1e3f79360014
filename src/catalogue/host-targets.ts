/** Hosts of Exports that gateways will certainly not dial: importers are told of no endpoint there. Pure. */
import { formatKey, keyOf } from '../api/object.ts';
import { backingOf } from './backing.ts';
import type { ExportTarget, TargetRestriction } from './pod-targets.ts';
import { pickSources, type CatalogueSources } from './read.ts';

/**
 * What the configuration lets one know of a host before it is dialled. `unseen`: an address that is not listed, and that a live pod
 * of the namespace may have; gateways see pods, and decide.
 */
export type TargetProspect = 'forbidden' | 'permitted' | 'unseen';

export type ForeseeTarget = (target: ExportTarget) => TargetProspect;

/** The same sources, with the Exports whose host is certainly forbidden. */
export function withForbiddenHosts(sources: CatalogueSources, foresee: ForeseeTarget): CatalogueSources {
  const forbidden = sources.Export.list().filter((object) => {
    const backing = backingOf(object);
    const target = { namespace: keyOf(object).namespace, port: object.spec?.port ?? 0 };
    return backing.kind === 'host' && foresee({ ...target, host: backing.host }) === 'forbidden';
  });
  return { ...pickSources(sources), forbiddenHosts: new Set(forbidden.map((object) => formatKey(keyOf(object)))) };
}

/** Standalone, where the configuration alone says what may be dialled, and does not change while the process runs. */
export function makeHostRestriction(foresee: ForeseeTarget): TargetRestriction {
  return {
    restrict: (sources) => ({ sources: withForbiddenHosts(sources, foresee), forbidden: new Map(), hosts: new Set() }),
    onChange: () => () => undefined,
  };
}
