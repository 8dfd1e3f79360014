/** The annotation by which an import opts out of early data: its clients' bytes wait for the answer of a source (ADR 25). */
import { ANNOTATIONS } from './names.ts';
import { quote } from './validation/quote.ts';

interface Annotated {
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

/** What is wrong with a value; undefined: nothing. A word that is not known could have been meant to switch it off. */
export function findEarlyDataProblem(text: string): { readonly message: string; readonly fix: string } | undefined {
  if (text === 'off') return undefined;
  const fix = 'Write "off", in quotes; delete it to let what a client sends at once go with the request.';
  return { message: `must be "off", is ${quote(text)}`, fix };
}

/** The same of an object, as a sentence for its status. */
export function describeEarlyDataProblem(metadata: Annotated | undefined): string | undefined {
  const text = metadata?.annotations?.[ANNOTATIONS.earlyData];
  const problem = text === undefined ? undefined : findEarlyDataProblem(text);
  return problem === undefined
    ? undefined
    : `metadata.annotations.${ANNOTATIONS.earlyData}: ${problem.message}. Fix: ${problem.fix}`;
}

export function isEarlyDataOff(metadata: Annotated | undefined): boolean {
  return metadata?.annotations?.[ANNOTATIONS.earlyData] === 'off';
}
