/** The command line of `npm run conformance`. Pure. */
import { parseArgs } from 'node:util';
import { UsageError } from './kubeconfig.ts';
import { parseLabelFilter, type LabelFilter } from './label-filter.ts';
import { PARALLEL_MAX } from './limits.ts';
import { toMessage } from './outcome.ts';

export interface Implementation {
  readonly organization: string;
  readonly project: string;
  readonly version: string;
  readonly url: string;
}

export interface Options {
  /** Empty: the current context if a kubeconfig was named, else clusters of our own. */
  readonly contexts: readonly string[];
  /** A file, or several as in KUBECONFIG. */
  readonly kubeconfig: string | undefined;
  readonly json: boolean;
  /** The official test binary to run instead. */
  readonly suite: string | undefined;
  /** Upper-case ids; empty: all. */
  readonly focus: readonly string[];
  readonly labelFilter: { readonly text: string; readonly matches: LabelFilter } | undefined;
  /** Tests at once. */
  readonly parallel: number;
  /** Turns the exit code round: 0 if at least so many tests fail. */
  readonly expectFailures: number | undefined;
  readonly implementation: Implementation;
  readonly dnsDomain: string;
  readonly verifyManagedBy: boolean;
  readonly help: boolean;
}

export const USAGE = `Usage: npm run conformance -- [options]

Runs the 27 conformance tests of the Kubernetes Multi-Cluster Services API against clusters in which an implementation is installed.
Writes build/conformance/report.yaml and report.html.

  --contexts A,B          kubeconfig contexts; the first cluster exports, eight tests need a second one.
                          Without this and --kubeconfig: two clusters of our own, with clusterlink-mcs in them, up and down again
  --kubeconfig FILE       instead of KUBECONFIG or ~/.kube/config; alone it means its current context
  --json                  the last line of standard output is a summary in JSON, and the only one
  --focus IDS             only these tests, e.g. C-R03,C-O13
  --label-filter FILTER   only tests with these labels, e.g. 'Required || (DNS && !Headless)'
  --parallel N            tests at once, 1 to ${PARALLEL_MAX} (default 1)
  --expect-failures N     succeed if at least N tests fail: shows that the suite can fail, e.g. without an implementation
  --suite PATH            run the official suite's test binary instead; its reports are copied to build/conformance
  --dns-domain ZONE       default clusterset.local
  --skip-verify-eps-managed-by    any value of an EndpointSlice's managed-by label will do
  --organization, --project, --version, --url TEXT    about the implementation, for the report
  --help

Exit codes: 0 all required tests passed (with a narrower selection: all selected tests), 1 not, 2 usage, 3 no cluster to test,
130 interrupted. Namespaces mcs-conformance-* are removed in any case.`;

const CONTEXT_LIST_MAX = 100;
const ZONE = /^(?=.{1,189}$)[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$/;

/**
 * @param ids - of the tests that there are.
 * @throws UsageError
 */
export function parseOptions(argv: readonly string[], ids: readonly string[]): Options {
  const values = parseFlags(argv);
  const dnsDomain = (values['dns-domain'] ?? 'clusterset.local').toLowerCase().replace(/\.$/, '');
  // It goes into commands of a shell in the request pod.
  if (!ZONE.test(dnsDomain)) throw new UsageError(`--dns-domain ${dnsDomain} is not a DNS name`);
  const contexts = toList(values.contexts);
  if (new Set(contexts).size < contexts.length) throw new UsageError('--contexts names a context twice');
  if (contexts.length > CONTEXT_LIST_MAX) throw new UsageError(`--contexts: more than ${CONTEXT_LIST_MAX}`);
  const options: Options = {
    contexts,
    kubeconfig: values.kubeconfig,
    json: values.json ?? false,
    suite: values.suite,
    focus: toFocus(values.focus, ids),
    labelFilter: toLabelFilter(values['label-filter']),
    parallel: toCount('--parallel', values.parallel ?? '1', PARALLEL_MAX),
    expectFailures:
      values['expect-failures'] === undefined
        ? undefined
        : toCount('--expect-failures', values['expect-failures'], ids.length),
    implementation: {
      organization: values.organization ?? '',
      project: values.project ?? '',
      version: values.version ?? '',
      url: values.url ?? '',
    },
    dnsDomain,
    verifyManagedBy: !(values['skip-verify-eps-managed-by'] ?? false),
    help: values.help ?? false,
  };
  refuseWithSuite(options);
  return options;
}

function parseFlags(argv: readonly string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const options = {
    contexts: text,
    kubeconfig: text,
    json: flag,
    suite: text,
    focus: text,
    'label-filter': text,
    parallel: text,
    'expect-failures': text,
    organization: text,
    project: text,
    version: text,
    url: text,
    'dns-domain': text,
    'skip-verify-eps-managed-by': flag,
    help: flag,
  };
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: false }).values;
  } catch (error) {
    throw new UsageError(toMessage(error), { cause: error });
  }
}

const toList = (text = ''): string[] =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');

function toFocus(text: string | undefined, ids: readonly string[]): string[] {
  const known = new Map(ids.map((id) => [id.toUpperCase(), id]));
  const focus = toList(text).map((item) => {
    const id = known.get(item.toUpperCase());
    if (id === undefined) throw new UsageError(`--focus: no test ${item}; there are ${ids.join(', ')}`);
    return id;
  });
  if (text !== undefined && focus.length === 0) throw new UsageError('--focus names no test');
  return focus;
}

function toLabelFilter(text: string | undefined): Options['labelFilter'] {
  if (text === undefined || text.trim() === '') return undefined;
  try {
    return { text, matches: parseLabelFilter(text) };
  } catch (error) {
    throw new UsageError(`--label-filter: ${toMessage(error)}`, { cause: error });
  }
}

function toCount(flag: string, text: string, max: number): number {
  const count = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (count < 1 || count > max) throw new UsageError(`${flag} ${text}: a number from 1 to ${max} is wanted`);
  return count;
}

/** The binary has its own titles and its own order. */
function refuseWithSuite({ suite, focus, parallel, expectFailures }: Options): void {
  if (suite === undefined) return;
  if (focus.length > 0) throw new UsageError('--focus has no meaning with --suite; use --label-filter');
  if (parallel > 1) throw new UsageError('--parallel has no meaning with --suite');
  if (expectFailures !== undefined) throw new UsageError('--expect-failures has no meaning with --suite');
}
