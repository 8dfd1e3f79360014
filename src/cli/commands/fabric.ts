/** `create fabric`, `create peer-cert`, `request`, `sign` and `renew cert`, `revoke peer` and `renew crl`: ClusterLink's grammar and its files. */
import { Option, type Command } from 'commander';
import { AppError } from '../../api/errors.ts';
import { createFabricFiles, createPeerCertFiles } from '../../fabric/files.ts';
import { KEY_TYPES, type KeyType } from '../../fabric/keys.ts';
import { PEER_CERTIFICATE_DAYS, PEER_CERTIFICATE_DAYS_MAX } from '../../fabric/limits.ts';
import { renewPeerCertFiles } from '../../fabric/renew.ts';
import { renewList, revokePeer, type WrittenList } from '../../fabric/revoke.ts';
import { createRequestFiles, signRequestFile, type SignedFiles } from '../../fabric/request-files.ts';
import type { Register } from '../register.ts';

const DEFAULT_FABRIC = 'default_fabric';

export function addFabricCommands(register: Register): void {
  const { program, streams } = register;
  const create = program
    .command('create')
    .description('Make the root of trust of a fabric, and the certificates of its peers.');

  create
    .command('fabric')
    .description('Make a fabric: a certificate authority that its peers trust. Keep key.pem off-line.')
    .option('--name <NAME>', 'name of the fabric', DEFAULT_FABRIC)
    .option('--path <PATH>', 'folder in which the fabric gets a folder', '.')
    .addOption(keyTypeOption().default('ecdsa'))
    .addHelpText('after', '\nExample:\n  npx clusterlink-mcs create fabric --name shops')
    .action(async ({ name, path, keyType }: { name: string; path: string; keyType: KeyType }) => {
      const { cert, key } = await createFabricFiles({ path, fabric: name, keyType });
      streams.out(`${cert}\n${key}`);
      streams.error(`Next: npx clusterlink-mcs create peer-cert --fabric ${name} --name east`);
    });

  create
    .command('peer-cert')
    .description('Make the certificate and key of one peer, signed by the fabric. The name becomes its one DNS SAN.')
    .requiredOption('--name <NAME>', 'name of the peer: an RFC 1123 label')
    .option('--fabric <NAME>', 'name of the fabric', DEFAULT_FABRIC)
    .option('--path <PATH>', 'folder that holds the fabric', '.')
    .addOption(keyTypeOption().default('ecdsa'))
    .addHelpText('after', '\nExample:\n  npx clusterlink-mcs create peer-cert --fabric shops --name east')
    .action(async ({ name, fabric, path, keyType }: PeerCertOptions) => {
      const { cert, key } = await createPeerCertFiles({ path, fabric, peer: name, keyType });
      streams.out(`${cert}\n${key}`);
      streams.error(
        `Next: carry these two and the fabric's cert.pem to the peer, and start it with "run" (see its --help).`,
      );
    });
  addRequestCommand(register);
  addSignCommand(register);
  addRenewCommands(register);
  addRevokeCommand(register);
}

interface PeerCertOptions {
  readonly name: string;
  readonly fabric: string;
  readonly path: string;
  readonly keyType: KeyType;
}

function keyTypeOption(): Option {
  return new Option('--key-type <TYPE>', "type of a new key; rsa where ClusterLink's CLI has to read it").choices(
    KEY_TYPES,
  );
}

function addRequestCommand({ program, streams }: Register): void {
  program
    .command('request')
    .description('Ask the owner of a fabric for something.')
    .command('cert')
    .argument('<PEER>', 'name of the peer: an RFC 1123 label')
    .description(
      'Make a key here and a request for its certificate. The key stays; request.pem goes to the owner of the fabric.',
    )
    .option('--out <DIR>', 'folder in which the peer gets a folder', '.')
    .option('--key <FILE>', 'ask for another certificate for this key; request.pem is put beside it')
    .addOption(keyTypeOption().conflicts('key'))
    .addHelpText(
      'after',
      `
Examples:
  npx clusterlink-mcs request cert east
  npx clusterlink-mcs request cert east --key east/key.pem`,
    )
    .action(async (peer: string, options: { out: string; key?: string; keyType?: KeyType }) => {
      const made = await createRequestFiles({ peer, ...options });
      streams.out(made.key === undefined ? made.request : `${made.request}\n${made.key}`);
      streams.error(`SHA-256 of the key: ${made.fingerprint}`);
      streams.error(
        `Next: give ${made.request} to the owner of the fabric, who signs it: npx clusterlink-mcs sign cert request.pem --fabric NAME --peer ${peer}`,
      );
    });
}

interface SignOptions {
  readonly fabric: string;
  readonly path: string;
  readonly days: number;
  readonly dryRun?: boolean;
}

function addSignCommand({ program, streams }: Register): void {
  program
    .command('sign')
    .description('Sign with the key of a fabric.')
    .command('cert')
    .argument('<REQUEST>', 'the request.pem of the peer')
    .description(
      "Sign a peer's request: writes cert.pem and ca.pem. A request that asks for more than one peer's name is refused.",
    )
    .option('--fabric <NAME>', 'name of the fabric', DEFAULT_FABRIC)
    .option('--path <PATH>', 'folder that holds the fabric', '.')
    .option('--peer <NAME>', 'refuse the request unless it is for this peer')
    .option('--days <N>', 'how long the certificate is valid', parseDays, PEER_CERTIFICATE_DAYS)
    .option('--out <DIR>', 'folder of cert.pem and ca.pem (default: that of the request)')
    .option('--dry-run', 'check the request, say what would be signed, and write nothing')
    .addHelpText('after', '\nExample:\n  npx clusterlink-mcs sign cert east/request.pem --fabric shops --peer east')
    .action(async (request: string, options: SignOptions & { peer?: string; out?: string }) => {
      const { dryRun: isDry = false, ...rest } = options;
      const signed = await signRequestFile({ ...rest, request, mode: isDry ? 'dry-run' : 'write' });
      streams.out(isDry ? describeDry(signed) : `${signed.cert}\n${signed.ca}`);
      streams.error(describe(signed));
      if (!isDry) streams.error('Next: carry these two to the peer, beside its key.pem. Both are public.');
    });
}

function addRenewCommands(register: Register): void {
  const { program, streams } = register;
  const renew = program.command('renew').description('Replace what will expire.');
  renew
    .command('cert')
    .argument('<PEER>', 'name of the peer')
    .description(
      'Replace the certificate that "create peer-cert" has made. A running peer takes it within seconds, connections stay.',
    )
    .option('--fabric <NAME>', 'name of the fabric', DEFAULT_FABRIC)
    .option('--path <PATH>', 'folder that holds the fabric', '.')
    .option('--days <N>', 'how long the certificate is valid', parseDays, PEER_CERTIFICATE_DAYS)
    .option('--new-key', 'make a new key too, of the type of the old one')
    .addOption(keyTypeOption().implies({ newKey: true }))
    .option('--dry-run', 'say what would be replaced, and write nothing')
    .addHelpText('after', '\nExample:\n  npx clusterlink-mcs renew cert east --fabric shops')
    .action(async (peer: string, options: SignOptions & { newKey?: boolean; keyType?: KeyType }) => {
      const { dryRun: isDry = false, newKey: isNew = false, ...rest } = options;
      const key = isNew ? 'new' : 'same';
      const renewed = await renewPeerCertFiles({ ...rest, peer, key, mode: isDry ? 'dry-run' : 'write' });
      streams.out(isDry ? describeDry(renewed) : renewed.cert);
      streams.error(describe(renewed));
    });
  addRenewListCommand(renew, register);
}

interface ListOptions {
  readonly fabric: string;
  readonly path: string;
  readonly dryRun?: boolean;
}

function addRevokeCommand({ program, streams }: Register): void {
  program
    .command('revoke')
    .description('Take back what was given.')
    .command('peer')
    .argument('<PEER>', 'name of the peer')
    .description(
      'Revoke every certificate that this fabric has given a peer: adds them to crl.pem in the folder of the fabric. Peers that have the file refuse it and end its sessions, and pass the list on.',
    )
    .option('--fabric <NAME>', 'name of the fabric', DEFAULT_FABRIC)
    .option('--path <PATH>', 'folder that holds the fabric', '.')
    .option('--serial <HEX>', 'also this serial number; may be given again', collect, [])
    .option('--cert <FILE>', 'also this certificate of the peer; may be given again', collect, [])
    .option('--dry-run', 'say what would be revoked, and write nothing')
    .addHelpText(
      'after',
      `
Certificates from before issued.txt was kept are found in the peer's folder, or named with --cert or --serial.
A new certificate of the same name is not revoked; make it for a new key (renew cert --new-key).
To give the list a new date: renew crl.

Example:
  npx clusterlink-mcs revoke peer east --fabric shops`,
    )
    .action(
      async (
        peer: string,
        { serial, cert, dryRun: isDry = false, ...where }: ListOptions & { serial: string[]; cert: string[] },
      ) => {
        const mode = isDry ? 'dry-run' : 'write';
        const written = await revokePeer({ ...where, peer, serials: serial, certs: cert, mode });
        streams.out(isDry ? `${written.file} would be written` : written.file);
        streams.error(describeList(written));
        if (!isDry) streams.error(nextOfList(written));
      },
    );
}

function addRenewListCommand(renew: Command, { streams }: Register): void {
  renew
    .command('crl')
    .description(
      'Give the revocation list of a fabric a new date. One that is past its date stays in force, and every peer warns of it.',
    )
    .option('--fabric <NAME>', 'name of the fabric', DEFAULT_FABRIC)
    .option('--path <PATH>', 'folder that holds the fabric', '.')
    .option('--dry-run', 'say what would be written, and write nothing')
    .addHelpText('after', '\nExample:\n  npx clusterlink-mcs renew crl --fabric shops')
    .action(async ({ dryRun: isDry = false, ...where }: ListOptions) => {
      const written = await renewList({ ...where, mode: isDry ? 'dry-run' : 'write' });
      streams.out(isDry ? `${written.file} would be written` : written.file);
      streams.error(describeList(written));
      if (!isDry) streams.error(nextOfList(written));
    });
}

function describeList({ added, serials, nextUpdate }: WrittenList): string {
  const now = added.length === 0 ? 'Nothing new is revoked' : `Revoked: ${added.join(', ')}`;
  return `${now}. The list has ${serials.length}, and is to be renewed before ${nextUpdate.toISOString()}.`;
}

function nextOfList({ file }: WrittenList): string {
  return `Next: carry ${file} to one peer or more, to where "fabric.crl" of its configuration says (in Kubernetes, crl.pem of the Secret clusterlink-mcs-peer). They pass it on to the others.`;
}

function collect(value: string, before: readonly string[]): string[] {
  return [...before, value];
}

function describeDry({ peer, cert }: SignedFiles): string {
  return `the certificate of peer ${peer} would be written to ${cert}`;
}

function describe({ peer, notAfter, fingerprint }: SignedFiles): string {
  return `Peer ${peer}, until ${notAfter.toISOString()}. SHA-256 of its key: ${fingerprint}`;
}

function parseDays(text: string): number {
  const days = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (days >= 1 && days <= PEER_CERTIFICATE_DAYS_MAX) return days;
  throw new AppError('ERR_USAGE', `--days: ${JSON.stringify(text)} is not a number of days`, {
    fix: `write a whole number from 1 to ${PEER_CERTIFICATE_DAYS_MAX}`,
  });
}
