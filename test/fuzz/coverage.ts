/** Which ways through our functions a piece of work took: V8's own counters, read over its inspector. */
import { Session, type Profiler } from 'node:inspector/promises';

export interface Coverage {
  /** The ways that were taken since this was asked last, one for each function. */
  take(): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** @param isWatched - by the URL of a module. */
export async function openCoverage(isWatched: (url: string) => boolean): Promise<Coverage> {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  return {
    async take() {
      const { result } = await session.post('Profiler.takePreciseCoverage');
      return result.filter(({ url }) => isWatched(url)).flatMap(waysOf);
    },
    async close() {
      await session.post('Profiler.stopPreciseCoverage');
      session.disconnect();
    },
  };
}

/** V8 names a block only where its count is another than that of the block around it: so all of a function's together are one way. */
function waysOf({ url, functions }: Profiler.ScriptCoverage): string[] {
  return functions
    .filter(({ ranges }) => ranges.some(({ count }) => count > 0))
    .map(({ ranges }) => `${url} ${ranges.map(describeBlock).join(' ')}`);
}

/** Twice is another thing than once, and a hundred times is as good as ninety. */
function describeBlock({ startOffset, endOffset, count }: Profiler.CoverageRange): string {
  return `${startOffset}-${endOffset}:${count === 0 ? 'no' : Math.floor(Math.log2(count))}`;
}
