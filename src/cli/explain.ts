/** `explain`: asks the running peer why a connection works or does not, and prints the hops. */
import type { Explanation } from '../gateway/explain.ts';
import { formatData, sanitize, type Output } from './output.ts';

export function formatExplanation(explanation: Explanation, output: Output): string {
  if (output === 'json' || output === 'yaml') return formatData(explanation, output);
  const lines = explanation.hops.flatMap(({ hop, ok, subject, message, code, fix }) => [
    `${ok ? 'ok  ' : 'FAIL'} ${hop.padEnd(8)} ${sanitize(subject)}: ${code === undefined ? '' : `${code} `}${sanitize(message)}`,
    ...(fix === undefined ? [] : [`     Fix: ${sanitize(fix)}`]),
  ]);
  return lines.join('\n');
}
