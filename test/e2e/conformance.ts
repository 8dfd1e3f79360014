/**
 * The conformance suite on two real clusters: once with the product, where nothing but headless DNS may fail, and once with our
 * controllers switched off, where nearly everything has to fail: a suite that cannot fail says nothing.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { install } from './install.ts';

const SUITE = new URL('../conformance/main.ts', import.meta.url).pathname;
/** Headless services are recorded and not yet served. */
const HEADLESS = ['C-O03', 'C-O06', 'C-O07'];
const FAILURES_WITHOUT_US = 24;
const DEADLINE_MS = 900_000;
const PARALLEL = 3;

interface Result {
  readonly required: { readonly passed: number; readonly total: number };
  readonly optional: { readonly passed: number; readonly total: number; readonly failed: readonly string[] };
}

async function runSuite(
  where: readonly string[],
  ...args: readonly string[]
): Promise<{ code: number; result: Result }> {
  const child = spawn(process.execPath, [SUITE, ...where, '--parallel', String(PARALLEL), '--json', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: DEADLINE_MS,
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  const [code] = (await once(child, 'close')) as [number | null];
  const last = output.trimEnd().split('\n').at(-1) ?? '';
  return { code: code ?? 1, result: JSON.parse(last) as Result };
}

const problems: string[] = [];
const { clusters, kubeconfig, close } = await install();
try {
  const where = ['--kubeconfig', kubeconfig, '--contexts', clusters.map(({ context }) => context).join(',')];
  const { code, result } = await runSuite(where);
  const others = result.optional.failed.filter((id) => !HEADLESS.includes(id));
  if (code !== 0) problems.push(`${result.required.passed} of ${result.required.total} Required tests passed`);
  if (others.length > 0) problems.push(`Optional tests failed: ${others.join(', ')}`);
  for (const { kubectl } of clusters) {
    await kubectl('-n clusterlink-system scale deployment clusterlink-mcs-controller --replicas=0'.split(' '));
    const gone = '-n clusterlink-system wait --for=delete pod -l app.kubernetes.io/component=controller --timeout=120s';
    await kubectl(gone.split(' '), { timeoutMs: 150_000 });
  }
  const off = await runSuite(where, '--expect-failures', String(FAILURES_WITHOUT_US));
  if (off.code !== 0) problems.push(`fewer than ${FAILURES_WITHOUT_US} tests failed without our controllers`);
  console.log(JSON.stringify(result));
} finally {
  await close();
}
for (const problem of problems) console.error(`conformance: ${problem}`);
process.exitCode = problems.length === 0 ? 0 : 1;
