/** What a process still waits for before it can do its work: readiness that names what is missing. */

export interface ComponentHealth {
  readonly name: string;
  /** Why the component cannot work yet, or no longer; undefined when it can. */
  readonly missing: string | undefined;
}

export interface ComponentReporter {
  ready(): void;
  /** @param why - a few words, shown to whoever asks `/readyz`. */
  missing(why: string): void;
}

export interface Health {
  /** Names a component that readiness waits for; it is missing until it says otherwise. */
  expect(name: string): ComponentReporter;
  /** Not ready from now on, whatever components say: nothing new should be sent here. */
  drain(): void;
  /** In the order in which they were named. */
  components(): readonly ComponentHealth[];
  /** `name: why` of each that is missing; empty when ready. Nothing expected yet is not ready. */
  missing(): readonly string[];
}

export function makeHealth(): Health {
  const reasons = new Map<string, string | undefined>();
  let draining = false;

  function components(): ComponentHealth[] {
    const all = [...reasons].map(([name, missing]) => ({ name, missing }));
    if (all.length === 0) all.push({ name: 'process', missing: 'is starting' });
    if (draining) all.push({ name: 'process', missing: 'is shutting down' });
    return all;
  }

  return {
    expect(name) {
      reasons.set(name, 'has not started');
      return {
        ready: () => void reasons.set(name, undefined),
        missing: (why) => void reasons.set(name, why),
      };
    },
    drain() {
      draining = true;
    },
    components,
    missing: () =>
      components()
        .filter(({ missing }) => missing !== undefined)
        .map(({ name, missing }) => `${name}: ${missing}`),
  };
}
