/** `export`, `import` and `allow`: each writes a manifest into the store, or prints it. */
import { AppError } from '../../api/errors.ts';
import { describeObject, type KubeObject } from '../../api/object.ts';
import { renderManifest, writeManifest } from '../../store/directory/writer.ts';
import { allowManifest, exportManifests, importManifests, parseKeyArgument } from '../intents.ts';
import { storeOption, type Register } from '../register.ts';
import { parseFolder, parseStore } from '../store-argument.ts';

interface WriteOptions {
  readonly store: string;
  readonly dryRun?: boolean;
}

export function addIntentCommands({ program, streams }: Register): void {
  const dryRun = ['--dry-run', 'print the manifests and write nothing'] as const;

  async function write(objects: readonly KubeObject[], { store, dryRun: isDry = false }: WriteOptions): Promise<void> {
    // In a cluster kubectl writes, with its user's rights and its own field manager.
    const isPrinted = isDry || parseStore(store).home === 'kubernetes';
    if (isPrinted) return streams.out(objects.map(renderManifest).join('---\n').trimEnd());
    const manifests = parseFolder(store);
    for (const object of objects) {
      const path = await writeManifest({ manifests, object });
      streams.out(`${describeObject(object)} written to ${path}`);
    }
  }

  program
    .command('export')
    .argument('<NAMESPACE/NAME>', 'the Service to offer')
    .description('Offer a Service to other peers: writes a ServiceExport, and with --port the Service too.')
    .addOption(storeOption())
    .option('--port <[NAME=]PORT...>', 'port of the Service, if its manifest is to be written too')
    .option('--endpoints <LIST>', 'where it listens: host:port[,host:port...], by port name if there are several')
    .option('--to <PEER...>', 'peers that alone may use it')
    .option(...dryRun)
    .addHelpText(
      'after',
      '\nExample:\n  npx clusterlink-mcs export shop/db --store dir:./manifests --port 5432 --endpoints 127.0.0.1:5432',
    )
    .action(async (name: string, options: WriteOptions & { port?: string[]; endpoints?: string; to?: string[] }) => {
      const { port = [], endpoints, to = [] } = options;
      const key = parseKeyArgument(name, 'export');
      await write(
        exportManifests({ key, ports: port, to, ...(endpoints === undefined ? {} : { endpoints }) }),
        options,
      );
      streams.error(
        `Nobody may use it yet. Next: npx clusterlink-mcs allow --store ${options.store} --namespace ${key.namespace} --export ${name} --from-peer PEER`,
      );
    });

  program
    .command('import')
    .argument('<NAMESPACE/NAME>', 'the export, as its owner names it')
    .description('Give an export of other peers a name here: writes a ClusterImportRule.')
    .addOption(storeOption())
    .requiredOption('--from <PEER...>', 'peers whose exports back it')
    .option('--as <NAMESPACE/NAME>', 'its name here (default: the same)')
    .option('--allow', 'also write the policy that lets clients here use it')
    .option(...dryRun)
    .addHelpText(
      'after',
      '\nExample:\n  npx clusterlink-mcs import shop/db --store dir:./manifests --from east --as store/db --allow',
    )
    .action(async (name: string, options: WriteOptions & { from: string[]; as?: string; allow?: boolean }) => {
      const source = parseKeyArgument(name, 'import');
      const as = options.as === undefined ? source : parseKeyArgument(options.as, '--as');
      const allow = options.allow === true ? 'everybody' : 'nobody';
      await write(importManifests({ source, peers: splitList(options.from), as, allow }), options);
      streams.error(`Next: npx clusterlink-mcs explain host ${as.name}.${as.namespace}.svc.clusterset.local:PORT`);
    });

  program
    .command('allow')
    .description(
      'Say yes to connections: writes an AccessPolicy. Both sides have to, each in the namespace of its own name.',
    )
    .addOption(storeOption())
    .requiredOption(
      '--namespace <NAMESPACE>',
      "the export's namespace where it is exported, the import's where it is imported",
    )
    .requiredOption('--export <NAMESPACE/NAME>', 'the export, as its owner names it')
    .option('--from-peer <PEER...>', 'only clients of these peers')
    .option('--to-peer <PEER...>', 'only to exports of these peers')
    .option('--deny', 'say no instead: a deny is stronger than every allow of its tier')
    .option('--name <NAME>', 'name of the policy')
    .option(...dryRun)
    .addHelpText(
      'after',
      '\nExample:\n  npx clusterlink-mcs allow --store dir:./manifests --namespace shop --export shop/db --from-peer west',
    )
    .action(
      async (
        options: WriteOptions & {
          namespace: string;
          export: string;
          fromPeer?: string[];
          toPeer?: string[];
          deny?: boolean;
          name?: string;
        },
      ) => {
        const { namespace, fromPeer = [], toPeer = [], deny = false, name } = options;
        if (namespace.includes('/')) throw new AppError('ERR_USAGE', '--namespace: is a namespace, without a name');
        const manifest = allowManifest({
          namespace,
          export: parseKeyArgument(options.export, '--export'),
          fromPeers: splitList(fromPeer),
          toPeers: splitList(toPeer),
          action: deny ? 'deny' : 'allow',
          ...(name === undefined ? {} : { name }),
        });
        await write([manifest], options);
      },
    );
}

/** `--from east,west` and `--from east west` mean the same. */
function splitList(words: readonly string[]): string[] {
  return words.flatMap((word) => word.split(',')).filter((word) => word !== '');
}
