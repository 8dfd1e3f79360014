/** `POST /authz`, as an importer asks it and reads the answer (reference §3.4, §3.8). Pure. */
import { ATTRIBUTES } from '../../api/names.ts';
import { REASONS, type Reason } from '../../api/reasons.ts';
import { malformed, type ResponseHead } from '../wire/head.ts';
import type { Source } from '../wire/source.ts';
import type { ObjectKey } from '../../api/object.ts';
import { TOKEN_CHARACTERS_MAX } from './limits.ts';

export interface Importer {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface AuthzQuestion {
  readonly export: ObjectKey;
  /** Of the client: null when it is not known who that is. */
  readonly source: Source;
  /** Who asks. */
  readonly self: Importer;
}

/** `accept-encoding` and the like are left out: an answer has no body that anybody reads. */
export function encodeAuthz(host: string, question: AuthzQuestion): Buffer {
  const body = Buffer.from(
    JSON.stringify({
      ServiceName: question.export.name,
      ServiceNamespace: question.export.namespace,
      SrcAttributes: toAttributes(question),
    }),
  );
  const lines = [
    'POST /authz HTTP/1.1',
    `Host: ${host}`,
    `Content-Length: ${body.length}`,
    'Content-Type: application/json; charset=utf-8',
  ];
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), body]);
}

/** With the keys of policies (reference §4.1). Of a client that is not known nothing is said, not even whose it is. */
export function toAttributes({ source, self }: Pick<AuthzQuestion, 'source' | 'self'>): Record<string, string> | null {
  if (source === null) return null;
  const { namespace, serviceAccount } = source;
  const attributes: [string, string][] = [[ATTRIBUTES.peerName, self.name]];
  if (namespace !== undefined) attributes.push([ATTRIBUTES.clientNamespace, namespace]);
  if (serviceAccount !== undefined) attributes.push([ATTRIBUTES.clientServiceAccount, serviceAccount]);
  for (const [key, value] of Object.entries(source)) {
    if (key.startsWith(LABELS)) attributes.push([`${ATTRIBUTES.clientLabelPrefix}${key.slice(LABELS.length)}`, value]);
  }
  for (const [key, value] of Object.entries(self.labels))
    attributes.push([`${ATTRIBUTES.peerLabelPrefix}${key}`, value]);
  return Object.fromEntries(attributes);
}

/** As `Source` has the labels of a client. */
const LABELS = 'labels.';
const TOKEN_FIELD = 'x-access-token';
/** What may stand behind `Bearer ` in a field of its own. */
const TOKEN = new RegExp(`^[\\x21-\\x7e]{1,${TOKEN_CHARACTERS_MAX}}$`);

export type AuthzAnswer =
  | { readonly ok: true; readonly token: string }
  | { readonly ok: false; readonly reason: Reason; readonly message: string };

/**
 * Go's data plane answers 403 whatever is wrong, Envoy's what its control plane says: only 200 can be relied on.
 *
 * @throws {AppError} `ERR_MALFORMED` for a yes without a token that can be used.
 */
export function parseAuthzAnswer(
  peer: string,
  { status, fields }: Pick<ResponseHead, 'status' | 'fields'>,
): AuthzAnswer {
  if (status === 200) {
    const token = fields.get(TOKEN_FIELD) ?? '';
    if (!TOKEN.test(token)) throw malformed(`peer ${peer}: its yes to /authz has no usable ${TOKEN_FIELD}`);
    return { ok: true, token };
  }
  // Go's data plane has one answer for all that is wrong.
  const doubt =
    status === 403 ? ' It denies this client, or it has no such export, which some data planes answer alike.' : '';
  return { ok: false, reason: reasonOfAuthz(status), message: `${peer} answered ${status} to /authz.${doubt}` };
}

function reasonOfAuthz(status: number): Reason {
  if (status === 403) return REASONS.IngressDenied;
  if (status === 404) return REASONS.NothingOffered;
  if (status === 429) return REASONS.Overloaded;
  return status >= 500 ? REASONS.NoUsableSource : REASONS.Malformed;
}

/** The target's port is the constant 443, whatever port is dialled; nothing is said of the client or the import. */
export function encodeTunnelRequest(peer: string, token: string): Buffer {
  const target = `${peer}:443`;
  const lines = [`CONNECT ${target} HTTP/1.1`, `Host: ${target}`, `Authorization: Bearer ${token}`];
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

/** Why a CONNECT with a token came to nothing: 403 is the token, other answers are the way to the service. */
export function refusalOfTunnel(peer: string, status: number): { readonly reason: Reason; readonly message: string } {
  const message = `${peer} answered ${status} to CONNECT.`;
  if (status === 403) return { reason: REASONS.IngressDenied, message };
  if (status === 404) return { reason: REASONS.NothingOffered, message };
  return { reason: status >= 500 ? REASONS.NoUsableSource : REASONS.Malformed, message };
}
