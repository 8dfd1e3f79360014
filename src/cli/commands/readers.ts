/** `status`, `explain`, `probe`, `get` and `gather`: what a running peer knows. */
import { describeObject, type KubeObject } from '../../api/object.ts';
import type { Explanation } from '../../gateway/explain.ts';
import type { ProbeReport } from '../../gateway/probe-import.ts';
import { adminOption, askPeer, type RunningPeer } from '../ask.ts';
import { formatExplanation } from '../explain.ts';
import { formatFabric } from '../fabric-status.ts';
import { EXIT, formatData, formatTable, parseOutput } from '../output.ts';
import { gather, writeArchive } from '../gather.ts';
import { formatProbe } from '../probe.ts';
import { outputOption, stateOption, type Register } from '../register.ts';
import { checkClient, HOST_CLIENT } from '../run/client-argument.ts';
import type { FabricReport } from '../run/fabric-status.ts';
import type { StatusReport } from '../run/status.ts';
import { formatStatus } from '../status.ts';
import { version } from '../version.ts';

export function addReaderCommands({ program, streams, done }: Register): void {
  program
    .command('status')
    .description('Show peers, exports, imports, what rules skipped, and the last refusals of a running peer.')
    .option('--fabric', 'how every peer stands: since when, version, certificate, age of its records, conflicts')
    .addOption(stateOption())
    .addOption(adminOption())
    .addOption(outputOption())
    .addHelpText('after', '\nExample:\n  npx clusterlink-mcs status --state ./state -o wide')
    .action(async ({ output, fabric = false, ...where }: RunningPeer & { output: string; fabric?: boolean }) => {
      const format = parseOutput(output);
      if (fabric) return streams.out(formatFabric((await askPeer(where, 'GET /fabric')) as FabricReport, format));
      streams.out(formatStatus((await askPeer(where, 'GET /status')) as StatusReport, format));
    });

  program
    .command('explain')
    .argument(
      '<CLIENT>',
      'who connects: NAMESPACE/POD in a cluster; else "host": all clients of a host are one identity',
    )
    .argument('<NAME:PORT>', 'the name of an import and its port')
    .description('Walk the way of a connection hop by hop, and name the first failure and what mends it.')
    .addOption(stateOption())
    .addOption(adminOption())
    .addOption(outputOption())
    .addHelpText(
      'after',
      `
Examples:
  npx clusterlink-mcs explain host db.store.svc.clusterset.local:5432 --state ./state
  kubectl -n clusterlink-system exec deploy/clusterlink-mcs-gateway -- \\
    clusterlink-mcs explain store/client db.store.svc.clusterset.local:5432`,
    )
    .action(async (client: string, target: string, { output, ...where }: RunningPeer & { output: string }) => {
      const format = parseOutput(output);
      const asked = { client: checkClient(client), target };
      const explanation = (await askPeer(where, 'POST /explain', asked)) as Explanation;
      streams.out(formatExplanation(explanation, format));
      done(explanation.ok ? EXIT.ok : EXIT.failed);
    });

  program
    .command('probe')
    .argument('<NAME:PORT>', 'the name of an import and its port')
    .description(
      'Connect to every source of an import, without a byte of payload: print what each answers, and how fast.',
    )
    .option('--client <CLIENT>', 'on whose behalf, as with explain', HOST_CLIENT)
    .addOption(stateOption())
    .addOption(adminOption())
    .addOption(outputOption())
    .addHelpText('after', '\nExample:\n  npx clusterlink-mcs probe db.store.svc.clusterset.local:5432 --state ./state')
    .action(async (target: string, given: RunningPeer & { output: string; client: string }) => {
      const { output, client, ...where } = given;
      const format = parseOutput(output);
      const asked = { client: checkClient(client), target };
      const report = (await askPeer(where, 'POST /probe', asked)) as ProbeReport;
      streams.out(formatProbe(report, format));
      done(report.ok ? EXIT.ok : EXIT.failed);
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
    .action(async (kind: string, key: string | undefined, { output, ...where }: RunningPeer & { output: string }) => {
      const format = parseOutput(output);
      const answer = await askPeer(where, 'POST /objects', { kind, ...(key === undefined ? {} : { key }) });
      if (format === 'json' || format === 'yaml') return streams.out(formatData(answer, format));
      const objects = (Array.isArray(answer) ? answer : [answer]) as KubeObject[];
      streams.out(
        formatTable(
          ['object', 'created'],
          objects.map((object) => [describeObject(object), object.metadata?.creationTimestamp ?? '']),
        ),
      );
    });
  program
    .command('gather')
    .requiredOption('--out <FILE.tar.gz>', 'the archive to write; it must not be there yet. "-": to standard output')
    .description(
      'Put status, objects, closing records, metrics and versions of a running peer into one archive, without keys and tokens.',
    )
    .addOption(stateOption())
    .addOption(adminOption())
    .addHelpText(
      'after',
      `
Examples:
  npx clusterlink-mcs gather --out west.tar.gz --state ./state
  kubectl -n clusterlink-system exec deploy/clusterlink-mcs-gateway -- clusterlink-mcs gather --out - > west.tar.gz`,
    )
    .action(async ({ out, ...where }: RunningPeer & { out: string }) => {
      const { archive, files, missing } = await gather({
        ask: (route, body) => askPeer(where, route, body),
        version,
        now: new Date(),
      });
      const said = `${out}: ${files.length} files, ${archive.length} bytes`;
      if (out === '-') {
        streams.bytes(archive);
        streams.error(said);
      } else {
        await writeArchive(out, archive);
        streams.out(said);
      }
      for (const line of missing) streams.error(`Not in it: ${line}`);
    });
}
