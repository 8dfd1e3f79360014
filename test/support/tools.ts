/** Programs of other people that tests compare with. */
import { spawnSync } from 'node:child_process';
import { Hook, type Context } from 'mocha';

/** There, a missing tool is a failure. */
export function isCi(): boolean {
  const { CI: ci = '' } = process.env;
  return ci !== '' && ci !== 'false';
}

const NAME = /^[a-z0-9][a-z0-9.+-]*$/;

/**
 * The path of a program. Where it is missing: in CI a failure, since a test that is skipped there is a test that nobody has; elsewhere
 * the test is skipped, and its title says why. Call it in a hook or a test, with its `this`.
 */
export function requireTool(context: Context, name: string): string {
  if (!NAME.test(name)) throw new TypeError(`${JSON.stringify(name)} is not the name of a program`);
  const { status, stdout } = spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' });
  const path = stdout.trim();
  if (status === 0 && path !== '') return path;
  return missTool(context, name);
}

/** What becomes of a test whose tool is not there: see {@link requireTool}. */
export function missTool(context: Context, name: string): never {
  if (isCi()) throw new Error(`${name} is not installed, which CI must have`);
  const runnable = context.runnable();
  const why = ` (skipped: ${name} is not installed)`;
  // The title of a hook is not shown; those of the tests that it skips are.
  if (runnable instanceof Hook) runnable.parent?.eachTest((test) => void (test.title += why));
  else runnable.title += why;
  return context.skip();
}
