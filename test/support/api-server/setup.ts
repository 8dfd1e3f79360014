/** Root fixture of the integration tests: what may have to be built is built before the first test and its time limit. */
import { findSource } from './source.ts';

export async function mochaGlobalSetup(): Promise<void> {
  // Where it fails, the tests that start an API server fail with the same error; those that do not still run.
  await findSource().catch(() => undefined);
}
