/** `status`, `explain` and `get`: what a running peer knows. */
import { join } from 'node:path';
import { Option } from 'commander';
import { AppError } from '../../api/errors.ts';
import { describeObject, type KubeObject } from '../../api/object.ts';
import type { Explanation } from '../../gateway/explain.ts';
import { callAdmin } from '../../runtime/admin.ts';
import { formatExplanation } from '../explain.ts';
import { EXIT, formatData, formatTable, parseOutput } from '../output.ts';
import { outputOption, stateOption, type Register } from '../register.ts';
import type { StatusReport } from '../run/status.ts';
import { formatStatus } from '../status.ts';

const ADMIN_TIMEOUT_MS = 30_000;

/** Which running peer is asked. */
interface Where {
  readonly state: string;
  /** Of a peer whose configuration has `admin`. */
  readonly admin?: string;
}

export function addReaderCommands({ program, streams, done }: Register): void {
  const adminOption = (): Option => new Option('--admin <PATH>', 'admin socket, if it is not in the state folder');
  const ask = (where: Where, route: `${'GET' | 'POST'} ${string}`, body?: unknown): Promise<unknown> => {
    const [method = 'GET', path = '/'] = route.split(' ');
    return callAdmin({
      path: where.admin ?? join(where.state, 'admin.sock'),
      method,
      route: path,
      body,
      timeoutMs: ADMIN_TIMEOUT_MS,
    });
  };

  program
    .command('status')
    .description('Show peers, exports, imports, what rules skipped, and the last refusals of a running peer.')
    .addOption(stateOption())
    .addOption(adminOption())
    .addOption(outputOption())
    .addHelpText('after', '\nExample:\n  npx clusterlink-mcs status --state ./state -o wide')
    .action(async ({ output, ...where }: Where & { output: string }) => {
      const format = parseOutput(output);
      streams.out(formatStatus((await ask(where, 'GET /status')) as StatusReport, format));
    });

  program
    .command('explain')
    .argument('<CLIENT>', 'who connects: "host", since all clients of a host are one identity')
    .argument('<NAME:PORT>', 'the name of an import and its port')
    .description('Walk the way of a connection hop by hop, and name the first failure and what mends it.')
    .addOption(stateOption())
    .addOption(adminOption())
    .addOption(outputOption())
    .addHelpText(
      'after',
      '\nExample:\n  npx clusterlink-mcs explain host db.store.svc.clusterset.local:5432 --state ./state',
    )
    .action(async (client: string, target: string, { output, ...where }: Where & { output: string }) => {
      if (client !== 'host')
        throw new AppError('ERR_USAGE', `${JSON.stringify(client)}: is not a client here`, { fix: 'say host' });
      const format = parseOutput(output);
      const explanation = (await ask(where, 'POST /explain', { target })) as Explanation;
      streams.out(formatExplanation(explanation, format));
      done(explanation.ok ? EXIT.ok : EXIT.failed);
    });

  program
    .command('get')
    .argument('<KIND>', 'for example ServiceImport, ImportBinding, PeerRecords')
    .argument('[NAMESPACE/NAME]', 'one object; without it all of the kind')
    .description('Print objects of a running peer, with what it has written into them.')
    .addOption(stateOption())
    .addOption(adminOption())
    .addOption(outputOption())
    .addHelpText('after', '\nExample:\n  npx clusterlink-mcs get ServiceImport store/db -o yaml --state ./state')
    .action(async (kind: string, key: string | undefined, { output, ...where }: Where & { output: string }) => {
      const format = parseOutput(output);
      const answer = await ask(where, 'POST /objects', { kind, ...(key === undefined ? {} : { key }) });
      if (format === 'json' || format === 'yaml') return streams.out(formatData(answer, format));
      const objects = (Array.isArray(answer) ? answer : [answer]) as KubeObject[];
      streams.out(
        formatTable(
          ['object', 'created'],
          objects.map((object) => [describeObject(object), object.metadata?.creationTimestamp ?? '']),
        ),
      );
    });
}
