/** How much of a bound is this data plane's: all of it, or what the others that share it leave. */
export interface Share {
  /** How many may be in use now. */
  readonly max: number;
  /** So many are in use; to be called at each change, and when one more was refused. */
  see(used: number): void;
  /** Nobody will ask for it any more. */
  close(): void;
}

/** The share of one bound: which one, of whom, and how large it is for all together. */
export type Shares = (key: string, boundMax: number) => Share;

export const WHOLE: Shares = (_, boundMax) => ({ max: boundMax, see: () => undefined, close: () => undefined });
