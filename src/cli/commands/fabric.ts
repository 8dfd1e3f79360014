/** `create fabric` and `create peer-cert`: ClusterLink's grammar and its files. */
import { createFabricFiles, createPeerCertFiles } from '../../fabric/files.ts';
import type { Register } from '../register.ts';

const DEFAULT_FABRIC = 'default_fabric';

export function addFabricCommands({ program, streams }: Register): void {
  const create = program
    .command('create')
    .description('Make the root of trust of a fabric, and the certificates of its peers.');

  create
    .command('fabric')
    .description('Make a fabric: a certificate authority that its peers trust. Keep key.pem off-line.')
    .option('--name <NAME>', 'name of the fabric', DEFAULT_FABRIC)
    .option('--path <PATH>', 'folder in which the fabric gets a folder', '.')
    .addHelpText('after', '\nExample:\n  npx clusterlink-mcs create fabric --name shops')
    .action(async ({ name, path }: { name: string; path: string }) => {
      const { cert, key } = await createFabricFiles({ path, fabric: name });
      streams.out(`${cert}\n${key}`);
      streams.error(`Next: npx clusterlink-mcs create peer-cert --fabric ${name} --name east`);
    });

  create
    .command('peer-cert')
    .description('Make the certificate and key of one peer, signed by the fabric. The name becomes its one DNS SAN.')
    .requiredOption('--name <NAME>', 'name of the peer: an RFC 1123 label')
    .option('--fabric <NAME>', 'name of the fabric', DEFAULT_FABRIC)
    .option('--path <PATH>', 'folder that holds the fabric', '.')
    .addHelpText('after', '\nExample:\n  npx clusterlink-mcs create peer-cert --fabric shops --name east')
    .action(async ({ name, fabric, path }: { name: string; fabric: string; path: string }) => {
      const { cert, key } = await createPeerCertFiles({ path, fabric, peer: name });
      streams.out(`${cert}\n${key}`);
      streams.error(
        `Next: carry these two and the fabric's cert.pem to the peer, and start it with "run" (see its --help).`,
      );
    });
}
