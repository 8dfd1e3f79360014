/**
 * What a request in ClusterLink's form asks for (HTTP/1.1, three kinds). Pure.
 *
 *     GET /healthz            whether this peer is there, and its labels
 *     POST /authz             {"ServiceName":"db","ServiceNamespace":"shop","SrcAttributes":{...}}: may this client, and a token
 *     CONNECT east:443        Authorization: Bearer <that token>: then the connection carries bytes
 */
import { ATTRIBUTES, isSubdomain } from '../../api/names.ts';
import type { ObjectKey } from '../../api/object.ts';
import type { AssertedClient } from '../decisions.ts';
import { malformed, type RequestHead } from '../wire/head.ts';
import { framingOf, type BodyFraming } from './body.ts';
import { ASSERTED_BYTES_MAX } from './limits.ts';

export type PeerRequest =
  | { readonly kind: 'healthz' }
  | { readonly kind: 'authz'; readonly body: BodyFraming }
  | { readonly kind: 'connect'; readonly token: string };

const BEARER = /^Bearer ([^ ]+)$/;

/**
 * The target of CONNECT does not count: its peers write what they call this peer, and a port that is always 443.
 *
 * @throws {AppError} `ERR_MALFORMED` for everything else that can be asked, `ERR_BOUND_EXCEEDED` for a body that is too large.
 */
export function parseRequest({ method, target, fields }: RequestHead): PeerRequest {
  const body = framingOf(fields);
  if (method === 'POST' && target === '/authz') return { kind: 'authz', body };
  if (body.kind !== 'none') throw malformed('request: a body where none is expected');
  if (method === 'GET' && target === '/healthz') return { kind: 'healthz' };
  if (method !== 'CONNECT') throw malformed('request: neither /healthz, /authz nor CONNECT');
  const [, token] = BEARER.exec(fields.get('authorization') ?? '') ?? [];
  if (token === undefined) throw malformed('request: CONNECT without "Authorization: Bearer" and a token');
  return { kind: 'connect', token };
}

export interface AuthzRequest {
  /** Undefined: no export can be called that. */
  readonly export: ObjectKey | undefined;
  /** What it says of its client; null: nothing. */
  readonly asserted: AssertedClient;
  /** Whom it says that it is. The certificate tells. */
  readonly claimedPeer?: string;
}

/** @throws {AppError} `ERR_MALFORMED`. */
export function parseAuthz(body: Buffer): AuthzRequest {
  const fields = fieldsOf(parseJson(body));
  const [name, namespace] = [textOf(fields.get('servicename')), textOf(fields.get('servicenamespace'))];
  const attributes = parseAttributes(fields.get('srcattributes') ?? null);
  const claimedPeer = attributes?.get(ATTRIBUTES.peerName);
  return {
    export: isSubdomain(name) && isSubdomain(namespace) ? { namespace, name } : undefined,
    asserted: attributes === null ? null : toAsserted(attributes),
    ...(claimedPeer === undefined ? {} : { claimedPeer }),
  };
}

/** Keys as Go finds them, without regard to case; what it would take the last of is refused. */
function fieldsOf(value: unknown): ReadonlyMap<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed('authz: not an object');
  const entries = Object.entries(value).map(([key, field]): [string, unknown] => [key.toLowerCase(), field]);
  const fields = new Map(entries);
  if (fields.size !== entries.length) throw malformed('authz: a field appears twice');
  return fields;
}

function textOf(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (typeof value !== 'string') throw malformed('authz: the name of an export is not a text');
  return value;
}

/** Go reads null, in the place of one value, as the empty text; of all of them, and of none, as a client that is not known. */
function parseAttributes(value: unknown): ReadonlyMap<string, string> | null {
  if (value === null) return null;
  if (typeof value !== 'object' || Array.isArray(value)) throw malformed('authz: attributes are not an object');
  const entries = Object.entries(value).map(([key, text]: [string, unknown]): [string, string] => {
    if (text !== null && typeof text !== 'string') throw malformed('authz: an attribute is not a text');
    // They may reach a log or a person.
    if (/\p{Cc}/u.test(`${key}${text ?? ''}`)) throw malformed('authz: an attribute has a control character');
    return [key, text ?? ''];
  });
  return entries.length === 0 ? null : new Map(entries);
}

/**
 * Only what a peer may ever be believed. Labels that are too many for a token are unknown, all of them, since one that was left
 * out would count as absent: unknown ones match in a deny, and in no allow.
 */
function toAsserted(attributes: ReadonlyMap<string, string>): AssertedClient {
  const namespace = attributes.get(ATTRIBUTES.clientNamespace);
  const serviceAccount = attributes.get(ATTRIBUTES.clientServiceAccount);
  const prefix = ATTRIBUTES.clientLabelPrefix;
  const labels = Object.fromEntries(
    [...attributes].filter(([key]) => key.startsWith(prefix)).map(([key, text]) => [key.slice(prefix.length), text]),
  );
  return {
    ...(isName(namespace) ? { namespace } : {}),
    ...(isName(serviceAccount) ? { serviceAccount } : {}),
    ...(Buffer.byteLength(JSON.stringify(labels)) <= ASSERTED_BYTES_MAX ? { labels } : {}),
  };
}

/** What is no name of an object is not known: neither the empty text that stands for null, nor one that fills a token. */
function isName(text: string | undefined): text is string {
  return text !== undefined && isSubdomain(text);
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    // The parser's own message would quote the peer's bytes.
    throw malformed('authz: not JSON in UTF-8');
  }
}
