/** How fast a session may open streams: each leaves a record or a refusal behind, whatever becomes of it. */

export type Verdict = 'admitted' | 'first-refused' | 'refused';

export interface StreamRate {
  /** `first-refused` once in a window of a second, so that whoever reports it cannot be flooded either. */
  admit(session: object): Verdict;
}

export function makeStreamRate(input: { readonly perSecondMax: number; readonly now: () => number }): StreamRate {
  const { perSecondMax, now } = input;
  const windows = new WeakMap<object, { startMs: number; count: number }>();
  return {
    admit(session) {
      const window = windows.get(session) ?? { startMs: -Infinity, count: 0 };
      windows.set(session, window);
      if (now() - window.startMs >= 1_000) {
        window.startMs = now();
        window.count = 0;
      }
      window.count++;
      if (window.count <= perSecondMax) return 'admitted';
      return window.count === perSecondMax + 1 ? 'first-refused' : 'refused';
    },
  };
}
