/** `test policy`: what policies say to one question, and what a change of them would do to connections. */
import { AppError, formatError } from '../../api/errors.ts';
import { adminOption, askPeer, type RunningPeer } from '../ask.ts';
import { formatProblems } from '../check.ts';
import { EXIT, exitCodeOf, parseOutput } from '../output.ts';
import { outputOption, stateOption, type Register } from '../register.ts';
import { parseFolder } from '../store-argument.ts';
import { toPolicyChanges, type PolicyDiffReport } from '../test-policy-diff.ts';
import { formatPolicyDiff, formatPolicyTest } from '../test-policy-format.ts';
import { readGivenManifests, toTestWorld } from '../test-policy-manifests.ts';
import {
  parseLabels,
  parsePeer,
  parseQuestion,
  type PolicyQuestion,
  type QuestionWords,
} from '../test-policy-question.ts';
import { testPolicy, type PolicyTestReport } from '../test-policy.ts';

interface TestPolicyOptions extends QuestionWords, RunningPeer {
  readonly store?: string;
  readonly file?: readonly string[];
  readonly self?: string;
  readonly selfLabel?: readonly string[];
  readonly diff?: string;
  readonly replace?: boolean;
  readonly output: string;
}

export function addTestPolicyCommand({ program, streams, done }: Register): void {
  async function readPaths(paths: readonly string[]) {
    const given = await readGivenManifests(paths);
    if (given.problems.length > 0) streams.error(formatProblems(given.problems, { output: 'text' }));
    return given.objects;
  }

  async function ask(question: PolicyQuestion, options: TestPolicyOptions): Promise<PolicyTestReport> {
    const { store, file = [], self, selfLabel, state, admin } = options;
    const paths = [...(store === undefined ? [] : [parseFolder(store)]), ...file];
    if (paths.length === 0) {
      if (self !== undefined || selfLabel !== undefined) {
        const fix = 'leave --self out, or add --store dir:PATH or --file';
        throw new AppError('ERR_USAGE', '--self: a running peer knows who it is', { fix });
      }
      const where = { state, ...(admin === undefined ? {} : { admin }) };
      return (await askPeer(where, 'POST /test-policy', question)) as PolicyTestReport;
    }
    if (self === undefined) {
      const fix = 'add --self NAME: whose decision it is';
      throw new AppError('ERR_USAGE', '--self: manifests do not say which peer has them', { fix });
    }
    const { client = { unidentified: 'no-pod' } as const } = question;
    if (typeof client === 'string') {
      const fix = 'say NAMESPACE/SERVICEACCOUNT';
      throw new AppError('ERR_USAGE', `--client: only a running peer knows who ${client} is`, { fix });
    }
    const known = { name: parsePeer(self, '--self'), labels: parseLabels(selfLabel ?? [], '--self-label') };
    return testPolicy({ world: toTestWorld(known, await readPaths(paths)), question, client });
  }

  async function showDiff(diff: string, options: TestPolicyOptions): Promise<void> {
    const changes = toPolicyChanges(await readPaths([diff]), options.replace === true ? 'replace' : 'apply');
    const report = (await askPeer(options, 'POST /test-policy-diff', changes)) as PolicyDiffReport;
    streams.out(formatPolicyDiff(report, parseOutput(options.output)));
    done(report.cutsTotal + report.unasked === 0 ? EXIT.ok : EXIT.failed);
  }

  /** Exit code 1 is an answer: a peer that gives none must not look like a denial. */
  async function answering(answer: () => Promise<void>): Promise<void> {
    try {
      await answer();
    } catch (error) {
      if (!(error instanceof AppError) || exitCodeOf(error) === EXIT.usage) throw error;
      streams.error(formatError(error));
      done(EXIT.unreachable);
    }
  }

  async function showAnswer(question: PolicyQuestion, options: TestPolicyOptions): Promise<void> {
    const report = await ask(question, options);
    streams.out(formatPolicyTest(report, parseOutput(options.output)));
    if (report.direction === 'egress' && report.allowed) {
      streams.error('This is the half of this peer: the exporter decides too, see "test policy ingress" there.');
    }
    done(report.allowed ? EXIT.ok : EXIT.failed);
  }

  const test = program.command('test').description('Ask what would be, without doing it.');
  test
    .command('policy')
    .argument('[DIRECTION]', 'egress: a client here uses an import. ingress: a peer uses an export of this one')
    .description(
      'Ask policies one question: which rule of which tier decides, and what each that was looked at says. With --diff: which open connections other policies would cut.',
    )
    .option(
      '--client <NAMESPACE/SERVICEACCOUNT>',
      'who connects; without it nobody knows who. "host": a client of the standalone peer that runs',
    )
    .option('--client-label <KEY=VALUE...>', 'all labels of its pod')
    .option('--import <NAMESPACE/NAME>', 'egress: the import that it uses')
    .option('--source <PEER/NAMESPACE/NAME>', 'egress: which export; without it all that back the import')
    .option('--import-label <KEY=VALUE...>', 'egress: labels of the import, in the place of those that it has')
    .option('--peer <NAME>', 'ingress: the peer that asks')
    .option('--export <NAMESPACE/NAME>', 'ingress: the export that it asks for')
    .option('--export-label <KEY=VALUE...>', 'ingress: labels of the export, in the place of those that it has')
    .option('--peer-label <KEY=VALUE...>', 'labels of the other peer, in the place of those of its Peer object')
    .option('--store <dir:PATH>', 'ask the manifests in a folder, and no running peer')
    .option('-f, --file <PATH...>', 'the same with files or folders of manifests, or "-": standard input')
    .option('--self <NAME>', 'with manifests: whose decision it is')
    .option('--self-label <KEY=VALUE...>', 'with manifests: its labels')
    .option('--diff <PATH>', 'policies that would be applied: files, folders or "-"')
    .option('--replace', 'with --diff: and all others would be deleted')
    .addOption(stateOption())
    .addOption(adminOption())
    .addOption(outputOption())
    .addHelpText(
      'after',
      `
Two peers decide about a connection, each by its own policies: ask egress where the client is, ingress where the export is.
Egress looks at AccessPolicies in the namespace of the import, ingress at those in the namespace of the export.

Examples:
  npx clusterlink-mcs test policy egress --client web/front --import store/db --state ./state
  npx clusterlink-mcs test policy ingress --peer west --client web/front --client-label app=ui --export shop/db --state ./state
  npx clusterlink-mcs test policy ingress --peer west --export shop/db --store dir:./manifests --self east
  kubectl get accesspolicies,privilegedaccesspolicies,baselineaccesspolicies,peers -A -o yaml | \\
    npx clusterlink-mcs test policy egress -f - --self west --client web/front --import store/db --source east/shop/db
  npx clusterlink-mcs test policy --diff stricter.yaml --state ./state

Exit codes: 0 allowed, or nothing would be cut; 1 denied, or something would be; 2 usage; 3 the peer cannot be reached.
In a cluster ask in a gateway pod; of several each speaks of its own connections:
  kubectl -n clusterlink-system exec -i POD -- clusterlink-mcs test policy --diff - < stricter.yaml`,
    )
    .action(async (direction: string | undefined, options: TestPolicyOptions) => {
      parseOutput(options.output);
      if (options.diff !== undefined) {
        refuseBesideDiff(direction, options);
        const { diff } = options;
        return answering(() => showDiff(diff, options));
      }
      if (options.replace === true) throw new AppError('ERR_USAGE', '--replace: goes with --diff');
      if (direction === undefined) {
        const fix = 'say "test policy egress", "test policy ingress" or --diff PATH; --help has examples';
        throw new AppError('ERR_USAGE', 'test policy: no question', { fix });
      }
      await answering(() => showAnswer(parseQuestion(direction, options), options));
    });
}

const NOT_BESIDE_DIFF = ['client', 'import', 'source', 'peer', 'export', 'store', 'file', 'self'] as const;

/** It is about all connections of a running peer. */
function refuseBesideDiff(direction: string | undefined, options: TestPolicyOptions): void {
  const word = direction ?? NOT_BESIDE_DIFF.find((option) => options[option] !== undefined);
  if (word === undefined) return;
  throw new AppError('ERR_USAGE', `--diff: asks about the open connections of a running peer, not about ${word}`, {
    fix: 'leave everything out but --replace, --state, --admin and --output',
  });
}
