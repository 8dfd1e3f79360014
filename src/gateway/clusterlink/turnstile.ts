/** Lets so many pass at once; the others wait in line, no more than so many and no longer than each says. */

export interface Turnstile {
  /** The result lets the next one pass; undefined: there was no place in the line, or its time was over. */
  enter(timeoutMs: number): Promise<(() => void) | undefined>;
  readonly waiting: number;
}

export function makeTurnstile({
  atOnceMax,
  waitingMax,
}: Readonly<Record<'atOnceMax' | 'waitingMax', number>>): Turnstile {
  /** In the order of their coming. */
  const line = new Set<() => void>();
  let inside = 0;

  function leaveOnce(): () => void {
    let hasLeft = false;
    return () => {
      if (hasLeft) return;
      hasLeft = true;
      const [next] = line;
      if (next === undefined) inside--;
      else next();
    };
  }

  return {
    enter(timeoutMs) {
      if (inside < atOnceMax) {
        inside++;
        return Promise.resolve(leaveOnce());
      }
      if (line.size >= waitingMax) return Promise.resolve(undefined);
      return new Promise((resolve) => {
        const pass = (): void => {
          clearTimeout(timer);
          line.delete(pass);
          resolve(leaveOnce());
        };
        const timer = setTimeout(() => {
          line.delete(pass);
          resolve(undefined);
        }, timeoutMs);
        line.add(pass);
      });
    },
    get waiting() {
      return line.size;
    },
  };
}
