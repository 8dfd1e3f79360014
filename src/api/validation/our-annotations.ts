/** The annotations of ours. An unknown one makes its object invalid: it could have been meant to narrow something. */
import type { KindName } from '../kinds.ts';
import { parseDeclaredExports } from '../declared-exports.ts';
import { findEarlyDataProblem } from '../early-data.ts';
import { ANNOTATIONS, isLabel, OUR_PREFIX } from '../names.ts';
import { parsePeerRoots } from '../peer-roots.ts';
import { parseProxyProtocol } from '../proxy-protocol.ts';
import { isPort } from './addresses.ts';
import { askWhether, didYouMean } from './did-you-mean.ts';
import { below, type Finding } from './finding.ts';
import { mapAt, textAt, type JsonObject } from './json.ts';
import { EXPORT_TO_PEERS_MAX, REQUESTED_SOURCES_MAX } from './limits.ts';
import { quote } from './quote.ts';
import { isTimestamp } from './timestamp.ts';

type Sentence = Omit<Finding, 'path'>;

const ASSERTABLE = ['namespace', 'service-account', 'labels'];

interface OurAnnotation {
  readonly key: string;
  readonly kind: KindName;
  readonly problem: (text: string) => Sentence | undefined;
}

/** `endpoints` depends on the ports beside it: service.ts reads it. */
const OURS: readonly OurAnnotation[] = [
  { key: ANNOTATIONS.endpoints, kind: 'Service', problem: () => undefined },
  { key: ANNOTATIONS.exportTo, kind: 'ServiceExport', problem: exportToProblem },
  { key: ANNOTATIONS.exportTo, kind: 'Export', problem: exportToProblem },
  { key: ANNOTATIONS.proxyProtocol, kind: 'ServiceExport', problem: proxyProtocolProblem },
  { key: ANNOTATIONS.proxyProtocol, kind: 'Export', problem: proxyProtocolOfOneProblem },
  { key: ANNOTATIONS.port, kind: 'ServiceExport', problem: portProblem },
  // A note of the controller: one that cannot be read counts as none, and is written anew.
  { key: ANNOTATIONS.firstPort, kind: 'ServiceExport', problem: () => undefined },
  { key: ANNOTATIONS.mayAssert, kind: 'Peer', problem: mayAssertProblem },
  { key: ANNOTATIONS.roots, kind: 'Peer', problem: rootsProblem },
  { key: ANNOTATIONS.acceptLoss, kind: 'Peer', problem: acceptLossProblem },
  { key: ANNOTATIONS.exports, kind: 'Peer', problem: exportsProblem },
  { key: ANNOTATIONS.sources, kind: 'ServiceImport', problem: sourcesProblem },
  { key: ANNOTATIONS.earlyData, kind: 'ServiceImport', problem: findEarlyDataProblem },
  { key: ANNOTATIONS.earlyData, kind: 'Import', problem: findEarlyDataProblem },
  { key: ANNOTATIONS.earlyData, kind: 'ImportRule', problem: findEarlyDataProblem },
  { key: ANNOTATIONS.earlyData, kind: 'ClusterImportRule', problem: findEarlyDataProblem },
  // Notes of the controller to itself: whoever changes them by hand sees them put back.
  { key: ANNOTATIONS.import, kind: 'Service', problem: () => undefined },
  { key: ANNOTATIONS.unusedSince, kind: 'Service', problem: () => undefined },
  { key: ANNOTATIONS.restingPorts, kind: 'Service', problem: () => undefined },
];

export function ourAnnotationProblems(kind: KindName, object: JsonObject): Finding[] {
  const annotations = mapAt(object, 'metadata', 'annotations');
  const findings = Object.keys(annotations)
    .filter((key) => key.startsWith(OUR_PREFIX))
    .flatMap((key) => {
      const known = OURS.find((ours) => ours.key === key && ours.kind === kind);
      const problem = known === undefined ? unknownProblem(kind, key) : readProblem(known, textAt(annotations, key));
      return problem === undefined ? [] : [{ path: [key], ...problem }];
    });
  return below(['metadata', 'annotations'], findings);
}

function unknownProblem(kind: KindName, key: string): Sentence {
  const elsewhere = OURS.find((ours) => ours.key === key);
  if (elsewhere !== undefined) {
    const message = `annotation ${quote(key)} means nothing on a ${kind}`;
    return { message, fix: `Put it on a ${elsewhere.kind}, or delete it.` };
  }
  const meant = didYouMean(
    key,
    OURS.map((ours) => ours.key),
  );
  return {
    message: `unknown annotation ${quote(key)}${askWhether(meant)}`,
    fix: meant === undefined ? `Delete it: what is below ${OUR_PREFIX} must be known.` : `Rename it to "${meant}".`,
  };
}

/** A value that is no text is the schema's. */
function readProblem({ problem }: OurAnnotation, text: string | undefined): Sentence | undefined {
  return text === undefined ? undefined : problem(text);
}

/** An empty list is refused too: it could mean nobody or everybody. */
function exportToProblem(text: string): Sentence | undefined {
  const peers = text.split(',').map((word) => word.trim());
  const wrong = peers.find((peer) => !isLabel(peer));
  if (wrong !== undefined) {
    const message = `must be a comma-separated list of peer names, has ${quote(wrong)}`;
    return { message, fix: 'Write it like "west, north"; delete it to let the policies alone decide.' };
  }
  if (peers.length <= EXPORT_TO_PEERS_MAX) return undefined;
  const message = `names ${peers.length} peers, at most ${EXPORT_TO_PEERS_MAX} are possible`;
  return { message, fix: 'Say it by an AccessPolicy that selects on labels of peers.' };
}

/** Whether the Service has such a port is seen when the two are there: see catalogue/default-port.ts. */
function portProblem(text: string): Sentence | undefined {
  if (isLabel(text) && (!/^\d+$/.test(text) || isPort(Number(text)))) return undefined;
  return {
    message: `must be the name or the number of a port, is ${quote(text)}`,
    fix: 'Write the name or the number of one TCP port of the Service; delete it to keep the port that it had first.',
  };
}

/** Whether the Service has such ports is seen when the two are there: see catalogue/proxied-ports.ts. */
function proxyProtocolProblem(text: string): Sentence | undefined {
  const parsed = parseProxyProtocol(text);
  return parsed.ok ? undefined : { message: parsed.message, fix: parsed.fix };
}

function proxyProtocolOfOneProblem(text: string): Sentence | undefined {
  const parsed = parseProxyProtocol(text);
  if (parsed.ok && parsed.ports === undefined) return undefined;
  const fix = 'Write "v2": an Export has one port; delete it where the endpoint expects none.';
  return { message: `must be "v2", is ${quote(text)}`, fix };
}

function acceptLossProblem(text: string): Sentence | undefined {
  if (isTimestamp(text)) return undefined;
  const fix = 'Write the time that the condition RecordsHeld of the Peer names, for example 2026-11-20T12:00:00Z.';
  return { message: `${quote(text)} is not the time of a hold`, fix };
}

function exportsProblem(text: string): Sentence | undefined {
  const parsed = parseDeclaredExports(text);
  return parsed.ok ? undefined : { message: parsed.message, fix: parsed.fix };
}

function rootsProblem(text: string): Sentence | undefined {
  const parsed = parsePeerRoots(text);
  return parsed.ok ? undefined : { message: parsed.message, fix: parsed.fix };
}

function sourcesProblem(text: string): Sentence | undefined {
  const sources = text.split(',').map((word) => word.trim());
  const wrong = sources.find((source) => source.split('/').length !== 3 || !source.split('/').every(isLabel));
  if (wrong !== undefined) {
    const message = `must be a comma-separated list of peer/namespace/name, has ${quote(wrong)}`;
    return {
      message,
      fix: 'Write it like "east/shop/db, west/sales/db"; delete it to mean the exports of the same name.',
    };
  }
  if (sources.length <= REQUESTED_SOURCES_MAX) return undefined;
  const message = `names ${sources.length} exports, at most ${REQUESTED_SOURCES_MAX} are possible`;
  return { message, fix: 'Delete it, and let the rule say which exports.' };
}

function mayAssertProblem(text: string): Sentence | undefined {
  const wrong = text
    .split(',')
    .map((word) => word.trim())
    .find((word) => !ASSERTABLE.includes(word));
  if (wrong === undefined) return undefined;
  return {
    message: `must be a comma-separated list of ${ASSERTABLE.join(', ')}, has ${quote(wrong)}${askWhether(didYouMean(wrong, ASSERTABLE))}`,
    fix: `Use some of ${ASSERTABLE.join(', ')}; delete it to believe nothing.`,
  };
}
