/** Tells people of one object once what is wrong with it, and again when that changes: for Kubernetes' events. */

/** What is told of an object beside its conditions. */
export interface Tale {
  /** In camel case. */
  readonly reason: string;
  readonly note: string;
}

export interface ToldEvent<T> extends Tale {
  readonly regarding: T;
  readonly type: 'Warning';
}

export interface Teller<T> {
  /**
   * @param text - the object's key.
   * @param tale - undefined when all is well.
   * @param said - what the object's status says already: a process that has just begun does not say it again.
   */
  tell(
    text: string,
    options: { readonly regarding: T; readonly tale: Tale | undefined; readonly said: Tale | undefined },
  ): void;
  forget(text: string): void;
}

export function makeTeller<T>(onEvent: ((event: ToldEvent<T>) => void) | undefined): Teller<T> {
  /** By key: what was told last. The cache shows the status that was written a moment later. */
  const told = new Map<string, string>();
  return {
    tell(text, { regarding, tale, said }) {
      if (tale === undefined) return void told.delete(text);
      const before = told.get(text) ?? (said === undefined ? undefined : idOf(said));
      told.set(text, idOf(tale));
      if (before !== idOf(tale)) onEvent?.({ regarding, type: 'Warning', ...tale });
    },
    forget: (text) => void told.delete(text),
  };
}

function idOf({ reason, note }: Tale): string {
  return `${reason} ${note}`;
}
