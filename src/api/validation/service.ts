/** Services, and what ServiceExports and ServiceImports say beside the schema. */
import { AppError } from '../errors.ts';
import { ANNOTATIONS } from '../names.ts';
import { isAddress, isPort, PORT_MAX } from './addresses.ts';
import { parseEndpointsAnnotation, type AnnotatedPort } from './endpoints.ts';
import { below, type Finding } from './finding.ts';
import { listAt, textAt, valueAt, type JsonObject } from './json.ts';
import { annotationProblems, labelProblems } from './labels.ts';
import { LISTED_NAMES_MAX } from './limits.ts';
import { namelessPortProblems, portListProblems, portNames } from './ports.ts';
import { quote, quoteAll } from './quote.ts';

const ENDPOINTS_PATH = ['metadata', 'annotations', ANNOTATIONS.endpoints];

export function serviceProblems(service: JsonObject): Finding[] {
  const ports = listAt(service, 'spec', 'ports');
  return [
    ...below(
      ['spec', 'ports'],
      [...portListProblems(ports), ...namelessPortProblems(ports), ...targetPortProblems(ports)],
    ),
    ...below(['spec', 'selector'], labelProblems(valueAt(service, 'spec', 'selector'))),
    ...clusterIpProblems(textAt(service, 'spec', 'clusterIP')),
    ...endpointsProblems(textAt(service, ...ENDPOINTS_PATH), portNames(ports)),
  ];
}

/** An API server refuses such a Service; here it does no harm, but an export of it is not valid. */
export function serviceWarnings(service: JsonObject): Finding[] {
  const isPortless =
    textAt(service, 'spec', 'clusterIP') === 'None' || textAt(service, 'spec', 'type') === 'ExternalName';
  if (isPortless || listAt(service, 'spec', 'ports').length > 0) return [];
  return [{ path: ['spec', 'ports'], message: 'there is no port', fix: 'List the ports that clients connect to.' }];
}

/** They become labels and annotations of ServiceImports elsewhere. */
export function serviceExportProblems(serviceExport: JsonObject): Finding[] {
  return below(
    ['spec'],
    [
      ...below(['exportedLabels'], labelProblems(valueAt(serviceExport, 'spec', 'exportedLabels'))),
      ...below(['exportedAnnotations'], annotationProblems(valueAt(serviceExport, 'spec', 'exportedAnnotations'))),
    ],
  );
}

export function serviceImportProblems(serviceImport: JsonObject): Finding[] {
  const ips = listAt(serviceImport, 'spec', 'ips').flatMap((ip, index) =>
    typeof ip !== 'string' || isAddress(ip)
      ? []
      : [
          {
            path: ['ips', String(index)],
            message: `must be an IP address, is ${quote(ip)}`,
            fix: 'Write an IP address.',
          },
        ],
  );
  const ports = portListProblems(listAt(serviceImport, 'spec', 'ports'));
  return below(['spec'], [...ips, ...below(['ports'], ports)]);
}

export function serviceImportWarnings(serviceImport: JsonObject): Finding[] {
  return below(['spec', 'ports'], namelessPortProblems(listAt(serviceImport, 'spec', 'ports')));
}

function targetPortProblems(ports: readonly unknown[]): Finding[] {
  return ports.flatMap((port, index) => {
    const target = valueAt(port, 'targetPort');
    if (typeof target !== 'number' || isPort(target)) return [];
    const message = `must be a number between 1 and ${PORT_MAX} or the name of a port, is ${quote(target)}`;
    return [{ path: [String(index), 'targetPort'], message, fix: 'Use the port that the endpoints listen on.' }];
  });
}

function clusterIpProblems(ip: string | undefined): Finding[] {
  if (ip === undefined || ip === '' || ip === 'None' || isAddress(ip)) return [];
  const message = `must be "None" or an IP address, is ${quote(ip)}`;
  return [{ path: ['spec', 'clusterIP'], message, fix: 'Write "None" for a headless Service; else delete the line.' }];
}

function endpointsProblems(text: string | undefined, names: readonly string[]): Finding[] {
  if (text === undefined) return [];
  try {
    return parseEndpointsAnnotation(text).flatMap((port) => strangePort(port, names));
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const message = error.message.replace(`annotation ${ANNOTATIONS.endpoints} `, '');
    return [{ path: ENDPOINTS_PATH, message, fix: error.fix ?? '' }];
  }
}

function strangePort({ portName }: AnnotatedPort, names: readonly string[]): Finding[] {
  const named = names.filter((name) => name !== '');
  if (portName === undefined ? names.length === 1 : named.includes(portName)) return [];
  const list = named.length === 0 ? 'none of its ports has a name' : `it has ${quoteAll(named, LISTED_NAMES_MAX)}`;
  const message =
    portName === undefined
      ? `does not say which port it is for; the Service has ${names.length} ports`
      : `is for port ${quote(portName)}, which the Service lacks; ${list}`;
  return [
    { path: ENDPOINTS_PATH, message, fix: 'Write the name of a port of spec.ports before "=", once for each port.' },
  ];
}
