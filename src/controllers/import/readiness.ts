/** Truthful readiness of an import (DESIGN §3.9), from what the gateways last said of its binding: pure. */
import type { ConditionDraft } from '../../api/conditions.ts';
import type { ImportBindingStatus, ImportBindingStatusSource } from '../../api/generated/ImportBinding.ts';
import { compareText } from '../../api/object.ts';
import { formatSource } from '../../api/record.ts';
import type { MergedImport } from '../../merge/types.ts';
import type { Published } from './home.ts';

export interface ReadinessInput {
  readonly merged: Pick<MergedImport, 'type'>;
  readonly published: Pick<Published, 'ips' | 'problem'>;
  readonly observed: ImportBindingStatus | undefined;
}

/** What gateways say, whether one process says it (standalone) or each replica (Kubernetes). */
interface Observation {
  readonly sources: readonly ImportBindingStatusSource[];
  /** Whether a gateway that has a usable source listens. */
  readonly isListening: boolean;
  /** Listeners that could not be opened, for people. */
  readonly failures: readonly string[];
}

/** True only while a source can be used; names the sources that are away. */
export function desiredImportCondition({ merged, published, observed }: ReadinessInput): ConditionDraft {
  const ready = (status: ConditionDraft['status'], reason: string, message: string): ConditionDraft => ({
    type: 'Ready',
    status,
    reason,
    message,
  });
  if (merged.type === 'Headless') {
    return ready('False', 'HeadlessNotServed', 'Headless imports are recorded, and not yet served by the gateway.');
  }
  if (published.problem !== undefined) return { type: 'Ready', status: 'False', ...published.problem };
  const observation = observe(observed);
  if (observation === undefined) return ready('Unknown', 'Pending', 'The gateway has not looked at this import yet.');
  const { sources, isListening, failures } = observation;
  const away = sources.filter(({ usable }) => !usable);
  const awayText = away.map((source) => `${formatSource(source)} is away (${source.reason ?? 'unknown'})`).join('; ');
  if (away.length === sources.length) {
    return ready('False', 'NoUsableSource', awayText || 'No export backs this import.');
  }
  if (failures.length > 0) return ready('False', 'ListenerFailed', failures.join('; '));
  if (!isListening) return ready('False', 'Pending', 'No gateway listens for this import yet.');
  return ready('True', 'Ready', awayText);
}

function observe(status: ImportBindingStatus | undefined): Observation | undefined {
  const { gateways = [], sources, listeners = [] } = status ?? {};
  if (gateways.length > 0) return observeGateways(gateways);
  if (sources === undefined) return undefined;
  return {
    sources,
    isListening: true,
    failures: listeners
      .filter(({ state }) => state === 'Failed')
      .map(({ port, message }) => `port ${port}: ${message ?? 'cannot listen'}`),
  };
}

type Gateways = NonNullable<ImportBindingStatus['gateways']>;

/** A source can be used if it can be from one gateway; a listener is missed only when no gateway serves the import. */
function observeGateways(gateways: Gateways): Observation {
  const bySource = Map.groupBy(
    gateways.flatMap(({ sources }) => sources),
    formatSource,
  );
  const merged = [...bySource]
    .sort(([a], [b]) => compareText(a, b))
    .flatMap(([, said]) => {
      const best = said.find(({ usable }) => usable) ?? said[0];
      return best === undefined ? [] : [best];
    });
  const serving = gateways.some(
    ({ listening, sources }) => listening.length > 0 && sources.some(({ usable }) => usable),
  );
  const failures = gateways.flatMap(({ name, failed = [] }) =>
    failed.map(({ targetPort, message }) => `${name}, target port ${targetPort}: ${message}`),
  );
  return { sources: merged, isListening: serving, failures: serving ? [] : failures };
}
