/**
 * Holds the import map (`.dependency-cruiser.mjs`) and that pure code reads no clock and no randomness.
 *
 * dependency-cruiser reports "no violations" on zero modules when it finds no TypeScript it can parse, so the number of
 * modules is compared with the number of files.
 */
import { spawnSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';

const PURE = [
  'src/policy/**/*.ts',
  'src/merge/**/*.ts',
  'src/catalogue/**/*.ts',
  'src/**/desired.ts',
  'src/dns/{zone,name}*.ts',
];
const IMPURE =
  /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\bperformance\.now\(|\bprocess\.|\bset(?:Timeout|Interval|Immediate)\(/;

const files = globSync('src/**/*.ts').length;
const run = spawnSync('depcruise', ['src', '--config', '.dependency-cruiser.mjs', '--output-type', 'json'], {
  encoding: 'utf8',
  maxBuffer: 64 * 1024 * 1024,
});
if (run.error !== undefined || run.stdout === '') {
  console.error(`dependency-cruiser did not run: ${run.error?.message ?? run.stderr}`);
  process.exit(1);
}
const { summary, modules } = JSON.parse(run.stdout) as {
  summary: { violations: { from: string; to: string; rule: { name: string } }[] };
  modules: { source: string }[];
};
const cruised = modules.filter((module) => module.source.startsWith('src/')).length;
const failures = summary.violations.map(({ from, to, rule }) => `${rule.name}: ${from} -> ${to}`);
if (cruised < files) failures.push(`only ${cruised} of ${files} source files were cruised`);
for (const file of globSync(PURE)) {
  const lines = readFileSync(file, 'utf8').split('\n');
  lines.forEach((line, index) => {
    if (IMPURE.test(line)) failures.push(`pure-code-reads-no-clock: ${file}:${index + 1}: ${line.trim()}`);
  });
}
for (const failure of failures) console.error(failure);
console.log(`imports: ${cruised} modules, ${failures.length} violations`);
process.exit(failures.length === 0 && cruised > 0 ? 0 : 1);
