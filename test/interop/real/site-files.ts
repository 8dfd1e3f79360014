/** The files that ClusterLink's programs have compiled in (reference §10), in a folder that is laid over /etc/ssl and /run/secrets. */
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createFabric } from '#src/fabric/authority.ts';
import { createRequest } from '#src/fabric/request.ts';
import { signRequest } from '#src/fabric/sign.ts';
import type { InteropFabric } from '../fabric.ts';

export interface SiteFiles {
  /** What is laid over /etc/ssl. */
  readonly ssl: string;
  /** What is laid over /run/secrets. */
  readonly secrets: string;
  /** The peer's identity as the fabric has it now. */
  copyIdentity(): Promise<void>;
}

export interface SiteFilesOptions {
  readonly folder: string;
  readonly fabric: InteropFabric;
  readonly peer: string;
  /** Of the API server. */
  readonly token: string;
  readonly caPem: string;
}

export async function writeSiteFiles({ folder, fabric, peer, token, caPem }: SiteFilesOptions): Promise<SiteFiles> {
  const ssl = join(folder, 'ssl');
  const secrets = join(folder, 'secrets');
  const account = join(secrets, 'kubernetes.io/serviceaccount');
  const identity = join(ssl, 'certs/clink');
  for (const each of [identity, join(ssl, 'key'), account]) await mkdir(each, { recursive: true });
  const site = await createFabric({ name: 'cl-ca' });
  await writeFile(join(ssl, 'certs/clink_ca.pem'), site.certPem);
  for (const part of ['controlplane', 'dataplane']) {
    const { csrPem, keyPem } = await createRequest({ peer: `cl-${part}` });
    const certPem = await signRequest({ caCertPem: site.certPem, caKeyPem: site.keyPem, csrPem });
    await writeFile(join(ssl, `certs/clink-${part}.pem`), certPem);
    await writeFile(join(ssl, `key/clink-${part}.pem`), keyPem, { mode: 0o600 });
  }
  await writeFile(join(account, 'token'), token, { mode: 0o600 });
  await writeFile(join(account, 'ca.crt'), caPem);
  const copyIdentity = async (): Promise<void> => {
    const { ca, cert, key } = fabric.files(peer);
    await copyFile(ca, join(identity, 'ca.pem'));
    await copyFile(cert, join(identity, 'cert.pem'));
    await copyFile(key, join(identity, 'key.pem'));
  };
  await copyIdentity();
  return { ssl, secrets, copyIdentity };
}
