/** A decision as one sentence for people. */
import { ATTRIBUTES } from '../api/names.ts';
import { formatKey } from '../api/object.ts';
import type { Attributes, Decision, Question } from './types.ts';

/** Names, namespaces and service accounts of Kubernetes look like this; anything else came from a peer and is not repeated. */
const PRINTABLE_NAME = /^[A-Za-z0-9][-A-Za-z0-9_.]{0,252}$/;

/** `A workload of peer west (namespace web) may not reach shop/db of peer east: no policy allows it.` */
export function explainDecision(decision: Decision, { from, to }: Question): string {
  const may = decision.allowed ? 'may' : 'may not';
  return `${describeClient(from)} ${may} reach ${describeExport(to)}: ${describeGround(decision)}.`;
}

function describeGround({ allowed, policy }: Decision): string {
  if (policy === undefined) return 'no policy allows it';
  return `${policy.kind} ${formatKey(policy)} ${allowed ? 'allows' : 'denies'} it`;
}

function describeClient(from: Attributes): string {
  const details = [
    describe('namespace', from, ATTRIBUTES.clientNamespace),
    describe('service account', from, ATTRIBUTES.clientServiceAccount),
  ].filter((detail) => detail !== undefined);
  const known = details.length === 0 ? '' : ` (${details.join(', ')})`;
  return `A workload of peer ${nameOf(from, ATTRIBUTES.peerName)}${known}`;
}

function describeExport(to: Attributes): string {
  const key = `${nameOf(to, ATTRIBUTES.exportNamespace)}/${nameOf(to, ATTRIBUTES.exportName)}`;
  return `${key} of peer ${nameOf(to, ATTRIBUTES.peerName)}`;
}

function describe(label: string, attributes: Attributes, key: string): string | undefined {
  if (Object.hasOwn(attributes.known, key)) return `${label} ${nameOf(attributes, key)}`;
  return attributes.unknown.includes(key) ? `${label} unknown` : undefined;
}

function nameOf({ known }: Attributes, key: string): string {
  const value = Object.hasOwn(known, key) ? known[key] : undefined;
  return value !== undefined && PRINTABLE_NAME.test(value) ? value : '?';
}
