/**
 * What a CA has issued, as lines of `issued.txt` beside its key: a peer is revoked by its name, and a list has serial numbers.
 *
 * A line is written before its certificate is handed out, so that no certificate is without one. Lines are only appended, which
 * two commands may do at once; each begins with a line feed, so that one that a full disk has cut short spoils no other.
 */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { X509Certificate } from 'node:crypto';
import { AppError } from '../api/errors.ts';
import { isLabel } from '../api/names.ts';
import { codeOf } from './error-code.ts';
import { ISSUED_BYTES_MAX } from './limits.ts';
import { toSerial } from './revoked-serials.ts';

export interface Issued {
  readonly peer: string;
  /** As `toSerial` writes it. */
  readonly serial: string;
  readonly notAfter: Date;
}

const FILE = 'issued.txt';

/** @throws {AppError} `ERR_STATE_IO`: a certificate that cannot be noted must not be handed out. */
export async function noteIssued(fabricDirectory: string, peer: string, leafPem: string): Promise<void> {
  const { serialNumber, validToDate } = new X509Certificate(leafPem);
  const line = `\n${toSerial(serialNumber)} ${peer} ${validToDate.toISOString()}\n`;
  const file = join(fabricDirectory, FILE);
  try {
    const handle = await open(file, 'a', 0o644);
    try {
      await handle.appendFile(line);
      await handle.datasync();
    } finally {
      await handle.close();
    }
  } catch (cause) {
    throw new AppError('ERR_STATE_IO', `${file}: cannot be written (${codeOf(cause)}), so nothing was signed`, {
      cause,
      fix: 'make room on the disk, and see that the folder of the fabric can be written',
    });
  }
}

/**
 * All that was noted, in no order; what is no line of ours is passed over.
 *
 * @throws {AppError} `ERR_BOUND_EXCEEDED`.
 */
export async function readIssued(fabricDirectory: string): Promise<Issued[]> {
  const file = join(fabricDirectory, FILE);
  let handle;
  try {
    handle = await open(file, 'r');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
  try {
    const { size } = await handle.stat();
    if (size > ISSUED_BYTES_MAX) {
      throw new AppError('ERR_BOUND_EXCEEDED', `${file}: ${size} bytes, more than ${ISSUED_BYTES_MAX}`, {
        fix: 'delete its lines of certificates that have expired',
      });
    }
    return (await handle.readFile('utf8')).split('\n').flatMap((line) => parseLine(line) ?? []);
  } finally {
    await handle.close();
  }
}

function parseLine(line: string): Issued | undefined {
  const [, serial = '', peer = '', until = ''] = /^([0-9a-f]{1,40}) (\S+) (\S+)$/.exec(line) ?? [];
  const notAfter = new Date(until);
  if (!isLabel(peer) || Number.isNaN(notAfter.getTime())) return undefined;
  return { serial, peer, notAfter };
}
