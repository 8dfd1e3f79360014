/**
 * `npm run interop -- [--json] [--clusterlink DIR [--crds DIR] [--envoy FILE]]`: ClusterLink's wire form in both directions, against
 * the emulated peer or, with `--clusterlink`, the real programs. With `--json` the last line is the result.
 *
 * Without `--crds` the API servers of the real programs get our CRDs of their kinds; without `--envoy` Envoy is that of the variable
 * ENVOY, or `envoy` in DIR, and where there is none only Go's data plane is tried.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CASES } from './cases.ts';
import { makeEmulatedDriver } from './emulated.ts';
import { runPairing, type CaseResult, type Pairing } from './run.ts';
import type { Driver, Kind } from './side.ts';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    clusterlink: { type: 'string' },
    crds: { type: 'string' },
    envoy: { type: 'string' },
    only: { type: 'string' },
    case: { type: 'string' },
    idle: { type: 'boolean', default: false },
  },
});

const envoy = values.envoy ?? process.env['ENVOY'] ?? findEnvoy(values.clusterlink);

function findEnvoy(folder: string | undefined): string | undefined {
  const file = folder === undefined ? '' : join(folder, 'envoy');
  return existsSync(file) ? file : undefined;
}

async function makeDriver(): Promise<Driver> {
  if (values.clusterlink === undefined) return await makeEmulatedDriver();
  const { makeRealDriver } = await import('./real/driver.ts');
  return await makeRealDriver({
    programs: values.clusterlink,
    crds: values.crds,
    envoy,
    silence: values.idle ? 'waited-for' : 'left-out',
  });
}

/** Ours against both data planes, in both directions; `--only east,west` names one: exporter and importer. */
function pairings(driver: Driver): Pairing[] {
  if (values.only !== undefined) {
    const [exporter, importer] = values.only.split(',') as [Kind, Kind];
    return [{ exporter, importer }];
  }
  const flavours = driver.peer === 'real' && envoy === undefined ? ['go' as const] : (['go', 'envoy'] as const);
  return flavours.flatMap((flavour): Pairing[] => [
    { exporter: flavour, importer: 'ours' },
    { exporter: 'ours', importer: flavour },
  ]);
}

function say({ name, ok, error, ms }: CaseResult): void {
  console.log(`${ok ? 'ok' : 'FAILED'}  ${name}  (${ms} ms)${error === undefined ? '' : `\n        ${error}`}`);
}

const driver = await makeDriver();
const results: CaseResult[] = [];
try {
  const cases = values.case === undefined ? CASES : CASES.filter(({ name }) => name === values.case);
  for (const pairing of pairings(driver)) results.push(...(await runPairing({ driver, pairing, cases, say })));
} finally {
  await driver.close();
}
const ok = results.length > 0 && results.every((result) => result.ok);
if (values.json) {
  const cases = results.map(({ name, ok: isOk, error }) => ({
    name,
    ok: isOk,
    ...(error === undefined ? {} : { error }),
  }));
  console.log(JSON.stringify({ ok, peer: driver.peer, cases }));
} else {
  console.log(ok ? '\nEvery case held.' : '\nA case failed.');
}
process.exitCode = ok ? 0 : 1;
