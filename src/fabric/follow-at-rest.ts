/**
 * Looks at files again and again. They are not watched: whatever replaces them (a rename, the kubelet's symbolic link, a copy over
 * a network file system) is seen, and they are small. What two looks in a row have seen has come to rest; only that is told.
 */
import { IDENTITY_LOOK_MS } from './limits.ts';

export interface FollowAtRestOptions<L extends { readonly text: string }> {
  /** What the files say, and a text that is the same only for the same. Never rejects. */
  look(): Promise<L>;
  onRest(look: L): void;
  /** The text of a look that was made already. */
  readonly before?: string;
  /** Tests set it. */
  readonly lookMs?: number | undefined;
}

/** The result ends it. */
export function followAtRest<L extends { readonly text: string }>(options: FollowAtRestOptions<L>): () => void {
  const { look, onRest, lookMs = IDENTITY_LOOK_MS } = options;
  let { before } = options;
  let isClosed = false;
  let timer = setTimeout(() => void run(), lookMs);

  async function run(): Promise<void> {
    const found = await look();
    if (isClosed) return;
    const isAtRest = found.text === before;
    before = found.text;
    if (isAtRest) onRest(found);
    timer = setTimeout(() => void run(), lookMs);
  }

  return () => {
    isClosed = true;
    clearTimeout(timer);
  };
}
