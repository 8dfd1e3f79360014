/** `check`: looks at a folder of manifests, or at an installed cluster, and says what is wrong and what mends it. */
import { AppError, formatError } from '../../api/errors.ts';
import { loadAccess } from '../../store/kubernetes/access.ts';
import { formatFindings, judgeCluster } from '../check-cluster.ts';
import { checkManifests, formatProblems } from '../check.ts';
import { observeCluster } from '../observe-cluster.ts';
import { EXIT, parseOutput, type Output } from '../output.ts';
import { outputOption, withWhere, type Register, type Where } from '../register.ts';
import { addCheckDnsCommand } from './check-dns.ts';

interface CheckOptions extends Where {
  readonly output: string;
}

export function addCheckCommand({ program, streams, done }: Register): void {
  async function checkFolder(dir: string, output: Output): Promise<void> {
    const { problems, files, objects } = await checkManifests(dir);
    const text = formatProblems(problems, { output: output === 'json' ? 'json' : 'text' });
    if (text !== '') streams.out(text);
    const errors = problems.filter(({ severity }) => severity === 'error').length;
    streams.error(`${files} files, ${objects} objects, ${errors} errors, ${problems.length - errors} warnings`);
    done(errors === 0 ? EXIT.ok : EXIT.failed);
  }

  async function checkCluster(where: Where, output: Output): Promise<void> {
    const access = loadAccess(where);
    try {
      const findings = judgeCluster(await observeCluster(access));
      streams.out(formatFindings(findings, output));
      const count = (wanted: string): number => findings.filter(({ result }) => result === wanted).length;
      streams.error(`${findings.length} looked at, ${count('failed')} failed, ${count('warning')} warnings`);
      done(count('failed') === 0 ? EXIT.ok : EXIT.failed);
    } catch (error) {
      if (!isUnreachable(error)) throw error;
      streams.error(formatError(error));
      done(EXIT.unreachable);
    } finally {
      await access.close();
    }
  }

  const check = withWhere(program.command('check'));
  check
    .argument('[DIR]', 'folder of manifests; without it --context or --kubeconfig names a cluster')
    .description(
      'Look at manifests without running: file, line, field, and what to do. Or look at a cluster: CRDs, pods, and whether gateways see which pod a client is.',
    )
    .addOption(outputOption())
    .addHelpText(
      'after',
      '\nExamples:\n  npx clusterlink-mcs check ./manifests\n  npx clusterlink-mcs check --context east\n  npx clusterlink-mcs check dns --help',
    )
    .action(async (dir: string | undefined, { output, ...where }: CheckOptions) => {
      const format = parseOutput(output);
      const isCluster = where.context !== undefined || where.kubeconfig !== undefined;
      if ((dir !== undefined) === isCluster) {
        throw new AppError('ERR_USAGE', `check: ${isCluster ? 'a folder and a cluster' : 'nothing'} to look at`, {
          fix: 'give either a folder of manifests, or a cluster by --context CONTEXT',
        });
      }
      await (dir === undefined ? checkCluster(where, format) : checkFolder(dir, format));
    });
  addCheckDnsCommand(check, { streams, done });
}

/** A server that takes a connection and says nothing is as far away as one that takes none. */
function isUnreachable(error: unknown): boolean {
  return error instanceof AppError && (error.code === 'ERR_STORE_UNAVAILABLE' || error.code === 'ERR_TIMEOUT');
}
