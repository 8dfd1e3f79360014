/** The questions of `test policy`: from the words of the command line, and as they go over the admin socket. Pure. */
import * as v from 'valibot';
import { AppError } from '../api/errors.ts';
import { isLabel } from '../api/names.ts';
import type { SourceKey } from '../api/record.ts';
import { keyProblem, valueProblem } from '../api/validation/labels.ts';
import { parseKeyArgument } from './intents.ts';

const labels = v.record(v.string(), v.string());
const key = v.object({ namespace: v.string(), name: v.string() });
const workload = v.object({ namespace: v.string(), serviceAccount: v.string(), labels });
/** Text: somebody whom the running peer knows (`host`). Absent: nobody knows who the client is. */
const client = v.exactOptional(v.union([workload, v.string()]));

export const policyQuestion = v.variant('direction', [
  v.object({
    direction: v.literal('egress'),
    client,
    import: key,
    /** Absent: all that the import has. */
    source: v.exactOptional(v.object({ peer: v.string(), namespace: v.string(), name: v.string() })),
    /** In the place of those that the object has. */
    importLabels: v.exactOptional(labels),
    peerLabels: v.exactOptional(labels),
  }),
  v.object({
    direction: v.literal('ingress'),
    client,
    peer: v.string(),
    export: key,
    exportLabels: v.exactOptional(labels),
    peerLabels: v.exactOptional(labels),
  }),
]);
export type PolicyQuestion = v.InferOutput<typeof policyQuestion>;
export type EgressTest = Extract<PolicyQuestion, { direction: 'egress' }>;
export type IngressTest = Extract<PolicyQuestion, { direction: 'ingress' }>;

/** Options as they are given. */
export interface QuestionWords {
  readonly client?: string;
  readonly clientLabel?: readonly string[];
  readonly import?: string;
  readonly importLabel?: readonly string[];
  readonly source?: string;
  readonly export?: string;
  readonly exportLabel?: readonly string[];
  readonly peer?: string;
  readonly peerLabel?: readonly string[];
}

const OF_EGRESS = ['import', 'importLabel', 'source'] as const;
const LABEL_OPTIONS = { peerLabel: 'peerLabels', importLabel: 'importLabels', exportLabel: 'exportLabels' } as const;
const OF_INGRESS = ['export', 'exportLabel', 'peer'] as const;

/** @throws {AppError} `ERR_USAGE` */
export function parseQuestion(direction: string, words: QuestionWords): PolicyQuestion {
  if (direction !== 'egress' && direction !== 'ingress') {
    throw new AppError('ERR_USAGE', `${JSON.stringify(direction)}: is neither egress nor ingress`, {
      fix: 'say egress for a client here and an import, ingress for a peer and an export of this one',
    });
  }
  const foreign = (direction === 'egress' ? OF_INGRESS : OF_EGRESS).find((option) => words[option] !== undefined);
  if (foreign !== undefined) {
    const fix = direction === 'egress' ? 'say --import and --source' : 'say --peer and --export';
    throw new AppError('ERR_USAGE', `${flagOf(foreign)}: has no place in ${direction}`, { fix });
  }
  const common = { ...clientOf(words), ...labelsOf(words, 'peerLabel') };
  if (direction === 'egress') {
    if (words.source === undefined && words.peerLabel !== undefined) {
      throw new AppError('ERR_USAGE', '--peer-label: of which peer?', { fix: 'add --source PEER/NAMESPACE/NAME' });
    }
    return {
      direction,
      ...common,
      import: parseKeyArgument(wanted(words, 'import'), '--import'),
      ...(words.source === undefined ? {} : { source: parseSourceArgument(words.source) }),
      ...labelsOf(words, 'importLabel'),
    };
  }
  return {
    direction,
    ...common,
    peer: parsePeer(wanted(words, 'peer'), '--peer'),
    export: parseKeyArgument(wanted(words, 'export'), '--export'),
    ...labelsOf(words, 'exportLabel'),
  };
}

/** `KEY=VALUE` words. @throws {AppError} `ERR_USAGE` */
export function parseLabels(words: readonly string[], option: string): Record<string, string> {
  const entries = words.map((word) => {
    const [name = '', ...rest] = word.split('=');
    const value = rest.join('=');
    const problem = rest.length === 0 ? { message: 'is not KEY=VALUE' } : (keyProblem(name) ?? valueProblem(value));
    if (problem === undefined) return [name, value] as const;
    const fix = 'write it like app=web';
    throw new AppError('ERR_USAGE', `${option}: ${JSON.stringify(word)}: ${problem.message}`, { fix });
  });
  return Object.fromEntries(entries);
}

/** @throws {AppError} `ERR_USAGE` */
export function parsePeer(text: string, option: string): string {
  if (isLabel(text)) return text;
  throw new AppError('ERR_USAGE', `${option}: ${JSON.stringify(text)} is not the name of a peer`);
}

function clientOf({ client: text, clientLabel }: QuestionWords): Pick<PolicyQuestion, 'client'> {
  if (text === undefined || !text.includes('/')) {
    if (clientLabel !== undefined) {
      const fix = 'add --client NAMESPACE/SERVICEACCOUNT';
      throw new AppError('ERR_USAGE', '--client-label: of which client?', { fix });
    }
    return text === undefined ? {} : { client: text };
  }
  const [namespace = '', serviceAccount = '', ...more] = text.split('/');
  if (namespace === '' || serviceAccount === '' || more.length > 0) {
    throw new AppError('ERR_USAGE', `--client: ${JSON.stringify(text)} is not NAMESPACE/SERVICEACCOUNT`, {
      fix: 'write it like web/front',
    });
  }
  return { client: { namespace, serviceAccount, labels: parseLabels(clientLabel ?? [], '--client-label') } };
}

function labelsOf(words: QuestionWords, option: keyof typeof LABEL_OPTIONS): Record<string, Record<string, string>> {
  const given = words[option];
  return given === undefined ? {} : { [LABEL_OPTIONS[option]]: parseLabels(given, flagOf(option)) };
}

function wanted(words: QuestionWords, option: 'import' | 'export' | 'peer'): string {
  const text = words[option];
  if (text !== undefined) return text;
  const fix = option === 'peer' ? 'add --peer NAME' : `add --${option} NAMESPACE/NAME`;
  throw new AppError('ERR_USAGE', `${flagOf(option)}: is missing`, { fix });
}

function parseSourceArgument(text: string): SourceKey {
  const [peer = '', ...rest] = text.split('/');
  if (rest.length !== 2) {
    throw new AppError('ERR_USAGE', `--source: ${JSON.stringify(text)} is not PEER/NAMESPACE/NAME`, {
      fix: 'write it like east/shop/db',
    });
  }
  return { peer: parsePeer(peer, '--source'), ...parseKeyArgument(rest.join('/'), '--source') };
}

function flagOf(option: string): string {
  return `--${option.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
