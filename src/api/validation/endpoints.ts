/** The annotation `mcs.clusterlink.net/endpoints`: where a Service of a standalone peer listens. */
import { AppError } from '../errors.ts';
import { ANNOTATIONS, isLabel } from '../names.ts';
import { hostProblem, isPort } from './addresses.ts';
import { ANNOTATED_ENDPOINTS_MAX } from './limits.ts';
import { quote } from './quote.ts';

export interface AnnotatedEndpoint {
  /** An IP address (IPv6 without brackets) or a DNS name in lower case. */
  readonly host: string;
  readonly port: number;
}

export interface AnnotatedPort {
  /** Undefined: the only port of the Service. */
  readonly portName: string | undefined;
  /** In the order written, at least one. */
  readonly endpoints: readonly AnnotatedEndpoint[];
}

const EXAMPLE =
  'Write [port=]host:port[,host:port...][;port=...], for example 127.0.0.1:5432 or http=127.0.0.1:8080;pg=[::1]:5432.';

/**
 * Reads `[port=]host:port[,host:port...][;port=...]`; spaces around the parts do not count, IPv6 stands in brackets.
 *
 * @throws {AppError} `ERR_INVALID_OBJECT` when it cannot be read, a port is named twice, or ports with and without name are
 *   mixed. Whether the Service has ports of these names is the caller's to compare.
 */
export function parseEndpointsAnnotation(text: string): AnnotatedPort[] {
  const ports = text.split(';').map(parseGroup);
  const count = ports.reduce((sum, { endpoints }) => sum + endpoints.length, 0);
  if (count > ANNOTATED_ENDPOINTS_MAX) {
    throw malformed(`has ${count} endpoints, at most ${ANNOTATED_ENDPOINTS_MAX} are possible`, 'Use EndpointSlices.');
  }
  const names = ports.map(({ portName }) => portName);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (names.length > 1 && names.includes(undefined)) throw malformed('has several ports, and one without a name');
  if (twice !== undefined) throw malformed(`names port ${quote(twice)} twice`, 'Join its endpoints with commas.');
  return ports;
}

function parseGroup(group: string): AnnotatedPort {
  const equals = group.indexOf('=');
  const portName = equals === -1 ? undefined : group.slice(0, equals).trim();
  if (portName !== undefined && !isLabel(portName)) {
    throw malformed(`has ${quote(portName)} where the name of a port is needed`);
  }
  return {
    portName,
    endpoints: group
      .slice(equals + 1)
      .split(',')
      .map((part) => parseEndpoint(part.trim())),
  };
}

function parseEndpoint(text: string): AnnotatedEndpoint {
  if (text === '') throw malformed('lacks an endpoint (host:port)');
  const match = /^(?:\[(?<inBrackets>[^[\]]*)\]|(?<plain>[^:[\]]*)):(?<port>\d{1,5})$/.exec(text);
  if (match?.groups === undefined) throw malformed(`has ${quote(text)}, which is not host:port`);
  const { inBrackets, plain = '', port } = match.groups;
  if (inBrackets !== undefined && !inBrackets.includes(':')) {
    throw malformed(`has ${quote(text)}: brackets are for IPv6 addresses`, 'Leave the brackets out.');
  }
  const host = (inBrackets ?? plain).toLowerCase();
  const problem = hostProblem(host);
  if (problem !== undefined) throw malformed(`has ${quote(text)}: the host ${problem.message}`, problem.fix);
  if (!isPort(Number(port))) throw malformed(`has ${quote(text)}: the port must be a number between 1 and 65535`);
  return { host, port: Number(port) };
}

function malformed(problem: string, fix = EXAMPLE): AppError {
  return new AppError('ERR_INVALID_OBJECT', `annotation ${ANNOTATIONS.endpoints} ${problem}`, { fix });
}
