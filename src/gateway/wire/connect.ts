/**
 * What a stream between peers begins with: a CONNECT to one export and its answer, or the request for the record exchange.
 *
 *     CONNECT east:443 HTTP/1.1            GET /exchange HTTP/1.1
 *     Host: east:443                       Host: east:443
 *     mcs-export: shop/db
 *     mcs-port: 5432/TCP                   HTTP/1.1 200 OK            HTTP/1.1 403 Forbidden
 *     mcs-connection: <32 hex digits>      mcs-connection: <same>     mcs-connection: <same>
 *     ...                                                             mcs-reason: denied
 *
 * Fields that are not known are ignored, unless `mcs-crit` names them. Pure.
 */
import { isLabel, isSubdomain } from '../../api/names.ts';
import type { ObjectKey } from '../../api/object.ts';
import type { WireReason } from '../../api/reasons.ts';
import {
  encodeRequestHead,
  encodeResponseHead,
  type HeadFields,
  malformed,
  type RequestHead,
  type ResponseHead,
} from './head.ts';
import { CLIENT_CHARACTERS_MAX, VIA_ENTRIES_MAX } from './limits.ts';
import { encodeSource, parseSource } from './source.ts';

export const CONNECT_FIELDS = {
  export: 'mcs-export',
  port: 'mcs-port',
  endpoint: 'mcs-endpoint',
  source: 'mcs-source',
  client: 'mcs-client',
  connection: 'mcs-connection',
  via: 'mcs-via',
  probe: 'mcs-probe',
  crit: 'mcs-crit',
} as const;
const REASON_FIELD = 'mcs-reason';
const KNOWN_FIELDS: ReadonlySet<string> = new Set(['host', ...Object.values(CONNECT_FIELDS)]);

const EXCHANGE_TARGET = '/exchange';
const AUTHORITY = /^([^:]+):443$/;
const PORT = /^([1-9][0-9]{0,4})\/TCP$/;
const CLIENT = new RegExp(`^[\\x21-\\x7e]{1,${CLIENT_CHARACTERS_MAX}}$`);
const CONNECTION = /^[0-9a-f]{32}$/;
const LIST_SEPARATOR = /, ?/;

export interface ConnectRequest {
  /** The peer that is asked. */
  readonly exporter: string;
  readonly export: ObjectKey;
  /** The port of the service. */
  readonly port: { readonly port: number; readonly protocol: 'TCP' };
  /** One host name of a headless export. */
  readonly endpoint?: string;
  /** What the importer asserts about the client; null when it does not know who that is. */
  readonly source: Readonly<Record<string, string>> | null;
  /** Opaque, the same for connections of one client: for affinity. 1 to 64 visible ASCII characters. */
  readonly client: string;
  /** 32 hexadecimal digits that join the closing records of both ends. */
  readonly connection: string;
  /** Peers that the connection came through, first one first. */
  readonly via: readonly string[];
  /** Decide only, or decide and dial: no bytes are relayed. */
  readonly probe?: 'decide' | 'dial';
  /** Fields that the exporter must understand or refuse. */
  readonly crit: readonly string[];
}

export type StreamRequest =
  | { readonly kind: 'connect'; readonly request: ConnectRequest }
  | { readonly kind: 'exchange'; readonly exporter: string };

export type RefusalStatus = 400 | 403 | 404 | 503 | 508;

/** `connection` is absent in answers to an exchange request, and in a 400 to a request whose id could not be read. */
export type ConnectAnswer =
  | { readonly ok: true; readonly connection?: string }
  | { readonly ok: false; readonly status: RefusalStatus; readonly reason: WireReason; readonly connection?: string };

const PHRASES: Readonly<Record<RefusalStatus, string>> = {
  400: 'Bad Request',
  403: 'Forbidden',
  404: 'Not Found',
  503: 'Service Unavailable',
  508: 'Loop Detected',
};

/** Which reasons a status may carry (shapes.md §4); 404 is `denied` to those who may not know. */
const REASONS_BY_STATUS: Readonly<Record<RefusalStatus, readonly WireReason[]>> = {
  400: ['malformed'],
  403: ['denied'],
  404: ['denied'],
  503: ['unavailable', 'overloaded', 'drained'],
  508: ['loop'],
};

/** What requests for one export have in common, by the object that names it: whoever asks often has it in hand. */
const written = new WeakMap<
  ObjectKey,
  { readonly request: ConnectRequest; readonly begin: string; readonly end: string }
>();

/**
 * @param request - whose parts are not to be changed any more: their text is remembered.
 * @throws {AppError} `ERR_MALFORMED` for a request that {@link parseStreamRequest} would refuse.
 */
export function encodeConnect(request: ConnectRequest): Buffer {
  const { client, connection } = request;
  checkClient(client);
  parseConnection(connection);
  let common = written.get(request.export);
  if (common === undefined || !isAlike(common.request, request)) {
    common = { request, ...writeCommon(request) };
    written.set(request.export, common);
  }
  const ids = `${client}\r\n${CONNECT_FIELDS.connection}: ${connection}`;
  return Buffer.from(common.begin + ids + common.end, 'latin1');
}

/** All but the ids is the same, as the same objects. */
function isAlike(a: ConnectRequest, b: ConnectRequest): boolean {
  if (a.exporter !== b.exporter || a.port.port !== b.port.port || a.source !== b.source) return false;
  return a.endpoint === b.endpoint && a.probe === b.probe && a.via === b.via && a.crit === b.crit;
}

/** What stands before and behind the ids. */
function writeCommon(request: ConnectRequest): { readonly begin: string; readonly end: string } {
  checkCommon(request);
  const { exporter, export: key, port, source, endpoint, probe, via, crit } = request;
  const authority = `${exporter}:443`;
  let begin = `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}`;
  begin += `\r\n${CONNECT_FIELDS.export}: ${key.namespace}/${key.name}`;
  begin += `\r\n${CONNECT_FIELDS.port}: ${port.port}/${port.protocol}`;
  begin += `\r\n${CONNECT_FIELDS.source}: ${encodeSource(source)}`;
  begin += `\r\n${CONNECT_FIELDS.client}: `;
  let end = '';
  if (endpoint !== undefined) end += `\r\n${CONNECT_FIELDS.endpoint}: ${endpoint}`;
  if (probe !== undefined) end += `\r\n${CONNECT_FIELDS.probe}: ${probe}`;
  if (via.length > 0) end += `\r\n${CONNECT_FIELDS.via}: ${via.join(', ')}`;
  if (crit.length > 0) end += `\r\n${CONNECT_FIELDS.crit}: ${crit.join(', ')}`;
  return { begin, end: `${end}\r\n\r\n` };
}

/** Each field by what will read it; the values of `source` are looked at where they are encoded. */
function checkCommon(request: ConnectRequest): void {
  const { exporter, export: key, port, endpoint, via, probe, crit } = request;
  if (!isLabel(exporter)) throw malformed('request: the exporter is not a label');
  parseExport(`${key.namespace}/${key.name}`);
  parsePort(`${port.port}/${port.protocol}`);
  checkEndpoint(endpoint);
  parseProbe(probe);
  if (via.length > 0) parseVia(via.join(', '));
  if (crit.length > 0) parseCrit(crit.join(', '));
}

/** @throws {AppError} `ERR_MALFORMED` when `exporter` is not a label. */
export function encodeExchange(exporter: string): Buffer {
  const authority = `${exporter}:443`;
  parseAuthority(authority);
  return encodeRequestHead({ method: 'GET', target: EXCHANGE_TARGET, fields: new Map([['Host', authority]]) });
}

/**
 * What a peer asks for on a stream. Shapes only: whether `exporter` is this peer, or `via` a loop, is for the caller.
 *
 * @throws {AppError} `ERR_MALFORMED`.
 */
export function parseStreamRequest({ method, target, fields }: RequestHead): StreamRequest {
  if (method === 'CONNECT') return { kind: 'connect', request: parseConnect(target, fields) };
  if (method !== 'GET' || target !== EXCHANGE_TARGET) throw malformed('request: neither CONNECT nor GET /exchange');
  parseCrit(fields.get(CONNECT_FIELDS.crit));
  return { kind: 'exchange', exporter: parseAuthority(requireField(fields, 'host')) };
}

/** The id of a request, as far as it can be told: for the answer to one that is malformed. */
export function findConnectionId({ fields }: RequestHead): string | undefined {
  const connection = fields.get(CONNECT_FIELDS.connection);
  return connection !== undefined && isConnectionId(connection) ? connection : undefined;
}

function parseConnect(target: string, fields: HeadFields): ConnectRequest {
  const exporter = parseAuthority(target);
  if (requireField(fields, 'host') !== target) throw malformed('request: Host differs from the target');
  const endpoint = fields.get(CONNECT_FIELDS.endpoint);
  checkEndpoint(endpoint);
  const probe = parseProbe(fields.get(CONNECT_FIELDS.probe));
  const client = requireField(fields, CONNECT_FIELDS.client);
  checkClient(client);
  return {
    exporter,
    export: parseExport(requireField(fields, CONNECT_FIELDS.export)),
    port: parsePort(requireField(fields, CONNECT_FIELDS.port)),
    ...(endpoint !== undefined && { endpoint }),
    source: parseSource(requireField(fields, CONNECT_FIELDS.source)),
    client,
    connection: parseConnection(requireField(fields, CONNECT_FIELDS.connection)),
    via: parseVia(fields.get(CONNECT_FIELDS.via)),
    ...(probe !== undefined && { probe }),
    crit: parseCrit(fields.get(CONNECT_FIELDS.crit)),
  };
}

function checkEndpoint(endpoint: string | undefined): void {
  if (endpoint !== undefined && !isLabel(endpoint)) throw malformed('request: mcs-endpoint is not a label');
}

function checkClient(client: string): void {
  if (CLIENT.test(client)) return;
  throw malformed(`request: mcs-client is not 1 to ${CLIENT_CHARACTERS_MAX} visible characters`);
}

function requireField(fields: HeadFields, name: string): string {
  const value = fields.get(name);
  if (value === undefined) throw malformed(`request: field ${name} is missing`);
  return value;
}

function parseAuthority(authority: string): string {
  const [, peer = ''] = AUTHORITY.exec(authority) ?? [];
  if (!isLabel(peer)) throw malformed('request: the target is not <peer>:443');
  return peer;
}

function parseExport(text: string): ObjectKey {
  const [namespace = '', name = '', ...more] = text.split('/');
  // A name may have dots: ClusterLink sees further ports of a service as <service>.<port name>.
  if (!isLabel(namespace) || !isSubdomain(name) || more.length > 0) {
    throw malformed('request: mcs-export is not <namespace>/<name>');
  }
  return { namespace, name };
}

function parsePort(text: string): { port: number; protocol: 'TCP' } {
  const port = Number(PORT.exec(text)?.[1] ?? 0);
  if (port < 1 || port > 65535) throw malformed('request: mcs-port is not <1 to 65535>/TCP');
  return { port, protocol: 'TCP' };
}

export function isConnectionId(text: string): boolean {
  return CONNECTION.test(text);
}

function parseConnection(text: string): string {
  if (!isConnectionId(text)) throw malformed('mcs-connection is not 32 hexadecimal digits in lower case');
  return text;
}

function parseVia(text: string | undefined): string[] {
  if (text === undefined) return [];
  const peers = text.split(LIST_SEPARATOR);
  if (peers.length > VIA_ENTRIES_MAX) throw malformed(`request: mcs-via has more than ${VIA_ENTRIES_MAX} entries`);
  if (!peers.every(isLabel)) throw malformed('request: mcs-via is not a list of labels');
  return peers;
}

function parseProbe(text: string | undefined): 'decide' | 'dial' | undefined {
  if (text === undefined || text === 'decide' || text === 'dial') return text;
  throw malformed('request: mcs-probe is neither decide nor dial');
}

/** Names of fields in lower case. All that are known here are also understood. */
function parseCrit(text: string | undefined): string[] {
  if (text === undefined) return [];
  const names = text.split(LIST_SEPARATOR).map((name) => name.toLowerCase());
  if (names.length > KNOWN_FIELDS.size || !names.every((name) => KNOWN_FIELDS.has(name))) {
    throw malformed('request: mcs-crit names a field that is not known here');
  }
  return names;
}

/** The head that says yes to this connection, to whoever has checked its id. */
export function yesTo(connection: string): string {
  return `HTTP/1.1 200 OK\r\n${CONNECT_FIELDS.connection}: ${connection}\r\n\r\n`;
}

/** @throws {AppError} `ERR_MALFORMED` for a status that does not go with its reason. */
export function encodeAnswer(answer: ConnectAnswer): Buffer {
  if (answer.ok && answer.connection !== undefined) {
    return Buffer.from(yesTo(parseConnection(answer.connection)), 'latin1');
  }
  const fields = new Map<string, string>();
  if (answer.connection !== undefined) fields.set(CONNECT_FIELDS.connection, parseConnection(answer.connection));
  if (answer.ok) return encodeResponseHead({ status: 200, reason: 'OK', fields });
  if (!REASONS_BY_STATUS[answer.status].includes(answer.reason)) {
    throw malformed(`answer: ${answer.status} does not go with ${answer.reason}`);
  }
  fields.set(REASON_FIELD, answer.reason);
  return encodeResponseHead({ status: answer.status, reason: PHRASES[answer.status], fields });
}

/** The caller compares `connection` with its own. @throws {AppError} `ERR_MALFORMED`. */
export function parseAnswer({ status, fields }: ResponseHead): ConnectAnswer {
  const id = fields.get(CONNECT_FIELDS.connection);
  const connection = id === undefined ? {} : { connection: parseConnection(id) };
  if (status === 200) return { ok: true, ...connection };
  if (!isRefusalStatus(status)) throw malformed(`answer: status ${status} is not expected`);
  const reason = REASONS_BY_STATUS[status].find((known) => known === fields.get(REASON_FIELD));
  if (reason === undefined) throw malformed(`answer: mcs-reason is missing, or does not go with ${status}`);
  return { ok: false, status, reason, ...connection };
}

function isRefusalStatus(status: number): status is RefusalStatus {
  return Object.hasOwn(REASONS_BY_STATUS, status);
}
