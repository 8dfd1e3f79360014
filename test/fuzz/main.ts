/** `npm run fuzz -- --minutes N --seed S [--target NAME] [--json]`: every parser of foreign bytes, led by coverage; the log on stderr. */
import { parseArgs } from 'node:util';
import { fuzz } from './run.ts';
import { TARGETS } from './targets.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    seed: { type: 'string', default: '1' },
    target: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const [minutes, seed] = [Number(values.minutes), Number(values.seed)];
const targets = TARGETS.filter(({ name }) => values.target === undefined || name === values.target);
if (!(minutes > 0) || !Number.isInteger(seed) || targets.length === 0) {
  const names = TARGETS.map(({ name }) => JSON.stringify(name)).join(', ');
  process.stderr.write(
    `ERR_USAGE fuzz. Fix: give --minutes N --seed S [--target NAME] [--json]; targets are ${names}\n`,
  );
  process.exitCode = 2;
} else {
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const { findings, ...counts } = await fuzz({ targets, msPerTarget: (minutes * 60_000) / targets.length, seed, say });
  for (const { target, error, input } of findings) say(`${target}: ${error}\n  input (base64): ${input}`);
  const ok = findings.length === 0;
  const result = { ok, ...counts, findings: findings.length };
  process.stdout.write(
    values.json ? `${JSON.stringify(result)}\n` : `${ok ? 'ok' : 'not ok'}: ${JSON.stringify(counts)}\n`,
  );
  process.exitCode = ok ? 0 : 1;
}
