/** `GET /healthz` and what its answer says of a peer (reference §3.2, §3.3). Pure. */
import { malformed, type ResponseHead } from '../wire/head.ts';
import { PEER_LABELS_CHARACTERS_MAX, PEER_LABELS_MAX } from './limits.ts';

export function encodeHeartbeat(host: string): Buffer {
  return Buffer.from(`GET /healthz HTTP/1.1\r\nHost: ${host}\r\n\r\n`, 'latin1');
}

export type PeerLabels = Readonly<Record<string, string>>;

const LABELS_FIELD = 'clusterlinkpeerlabels';
const KEY = /^(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?\/)?[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;
const VALUE = /^(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$/;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/**
 * What it claims its labels to be; nothing where it claims none, or nothing that can be read: a peer of v0.4.0 has no such
 * header, and lives nevertheless. No decision is made by them.
 *
 * @throws {AppError} `ERR_MALFORMED` for an answer that is not 200.
 */
export function parseHeartbeatAnswer({ status, fields }: Pick<ResponseHead, 'status' | 'fields'>): PeerLabels {
  if (status !== 200) throw malformed(`heartbeat: answered ${status}`);
  const text = fields.get(LABELS_FIELD);
  return (text === undefined ? undefined : readLabels(text)) ?? {};
}

function readLabels(text: string): PeerLabels | undefined {
  if (text.length > PEER_LABELS_CHARACTERS_MAX || !BASE64.test(text)) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(text, 'base64')));
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const entries = Object.entries(value as Record<string, unknown>);
  const isValid = entries.every(([key, label]) => KEY.test(key) && typeof label === 'string' && VALUE.test(label));
  if (!isValid || entries.length > PEER_LABELS_MAX) return undefined;
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)) as [string, string][]);
}
