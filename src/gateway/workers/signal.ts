/** Wakes whoever waits for something to be another way. */
export interface Signal {
  tell(): void;
  /** Resolves at the next `tell`, or when the signal is aborted. */
  next(abort?: AbortSignal): Promise<void>;
}

export function makeSignal(): Signal {
  const waiting = new Set<() => void>();
  return {
    tell: () => [...waiting].forEach((wake) => wake()),
    next: (abort) =>
      new Promise((resolve) => {
        const wake = (): void => {
          waiting.delete(wake);
          abort?.removeEventListener('abort', wake);
          resolve();
        };
        waiting.add(wake);
        abort?.addEventListener('abort', wake);
        if (abort?.aborted === true) wake();
      }),
  };
}
