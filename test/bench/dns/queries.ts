/** What is asked: lines for dnsperf. Pure. */
import { shuffle } from '../statistics.ts';
import { hostOf, missingHost, serviceOf, type Import } from './names.ts';

/** Of each twenty queries. */
export const MIX = { a: 14, srv: 3, missing: 3 } as const;
/** dnsperf begins anew at the end of its file. Each of 10,000 imports is in it. */
export const QUERIES = 20_000;
const EACH = MIX.a + MIX.srv + MIX.missing;

/**
 * 70 % A, 15 % SRV and 15 % of names that are not there, all imports as often as each other, in an order of chance.
 *
 * @param random - as Math.random gives.
 */
export function toQueries(imports: readonly Import[], random: () => number, count = QUERIES): string {
  const share = (of: number): number => Math.round((count * of) / EACH);
  const take = (of: number, toLine: (each: Import, index: number) => string): readonly string[] =>
    Array.from({ length: share(of) }, (_, index) => toLine(imports[index % imports.length] as Import, index));
  const lines = [
    ...take(MIX.a, (each) => `${hostOf(each)} A`),
    ...take(MIX.srv, (each) => `${serviceOf(each)} SRV`),
    ...take(MIX.missing, (_, index) => `${missingHost(index)} A`),
  ];
  return `${shuffle(lines, random).join('\n')}\n`;
}
