/** The exporter's control plane: what it says to each request that its data plane asks about (§3.2-3.5, §4). */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Situation } from './flavour.ts';
import { exportAttributes, type PolicyTable } from './policy.ts';
import { mintToken, readToken } from './token.ts';
import { keyOf, type ControlPlaneState, type ExportObject, type Labels } from './types.ts';

export interface ControlPlaneOptions {
  readonly name: string;
  readonly labels: Labels | undefined;
  readonly policies: PolicyTable;
  readonly tokenKey: Buffer;
  readonly nowMs: () => number;
  readonly closing: AbortSignal;
}

export interface Question {
  readonly method: string;
  readonly target: string;
  readonly authorization: string | undefined;
  readonly body: Buffer;
}

export interface Verdict {
  readonly situation: Situation;
  /** Header of a yes: name in the spelling that Go gives it, and value. */
  readonly field?: readonly [name: string, value: string];
  /** Of a CONNECT that may pass: the Export that its token names. */
  readonly exportKey?: string;
}

export interface ControlPlane {
  decide(question: Question): Promise<Verdict>;
  setExports(exports: readonly ExportObject[]): void;
  setState(state: ControlPlaneState): void;
  /** Every decision takes so long from now on. */
  setDelayMs(delayMs: number): void;
  /** What the data plane knows of an Export: where it dials. */
  exported(key: string): ExportObject | undefined;
}

export function makeControlPlane(options: ControlPlaneOptions): ControlPlane {
  let exports = new Map<string, ExportObject>();
  let state: ControlPlaneState = 'up';
  let delayMs = 0;

  /** The certificate of the caller is not asked: §8.1, 1 and 3 are kept on purpose. */
  function judge({ method, target, authorization, body }: Question): Verdict {
    if (state === 'away') return { situation: 'no-control-plane' };
    if (state === 'failing') return { situation: 'internal' };
    if (method === 'CONNECT') return judgeToken(authorization);
    if (method === 'GET' && target === '/healthz') {
      return { situation: 'ok', field: ['Clusterlinkpeerlabels', encodeLabels(options.labels)] };
    }
    return method === 'POST' && target === '/authz' ? judgeAccess(body) : { situation: 'other-request' };
  }

  function judgeToken(authorization: string | undefined): Verdict {
    if (authorization?.startsWith('Bearer ') !== true) return { situation: 'no-authorization' };
    const named = readToken(options.tokenKey, authorization.slice('Bearer '.length), options.nowMs());
    return named === undefined ? { situation: 'bad-token' } : { situation: 'ok', exportKey: keyOf(named) };
  }

  function judgeAccess(body: Buffer): Verdict {
    const request = parseAccessRequest(body.toString());
    if (request === undefined) return { situation: 'malformed' };
    const object = exports.get(keyOf(request));
    // Policies are not consulted about what is not there (§4.6, 25).
    if (object === undefined) return { situation: 'export-not-found' };
    const unidentified = Object.keys(request.attributes).length === 0;
    if (unidentified && options.policies.dependsOnClients()) return { situation: 'denied' };
    const { name: peer, labels: peerLabels } = options;
    const to = exportAttributes({ ...request, labels: object.labels, peer, peerLabels });
    const allowed = options.policies.allows({ namespace: request.namespace, from: request.attributes, to });
    if (!allowed) return { situation: 'denied' };
    return {
      situation: 'ok',
      field: ['X-Access-Token', mintToken(options.tokenKey, { ...request, nowMs: options.nowMs() })],
    };
  }

  return {
    async decide(question) {
      if (delayMs > 0) await sleep(delayMs, undefined, { signal: options.closing });
      return judge(question);
    },
    setExports(objects) {
      exports = new Map(objects.map((object) => [keyOf(object), object]));
    },
    setState(next) {
      state = next;
    },
    setDelayMs(next) {
      delayMs = next;
    },
    exported: (key) => exports.get(key),
  };
}

/** Base64 of the JSON of the labels; none is `null` (§3.2). */
export function encodeLabels(labels: Labels | undefined): string {
  return Buffer.from(JSON.stringify(labels ?? null)).toString('base64');
}

export interface AccessRequest {
  readonly namespace: string;
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** As Go reads it (§3.4): names in any case, what it does not know and what follows the first value ignored. */
export function parseAccessRequest(text: string): AccessRequest | undefined {
  const value = parseFirstValue(text);
  if (value === null) return { namespace: '', name: '', attributes: {} };
  if (typeof value !== 'object' || Array.isArray(value)) return undefined;
  const members = new Map(Object.entries(value).map(([name, member]) => [name.toLowerCase(), member as unknown]));
  const name = members.get('servicename') ?? '';
  const namespace = members.get('servicenamespace') ?? '';
  const attributes = toStringMap(members.get('srcattributes') ?? {});
  if (typeof name !== 'string' || typeof namespace !== 'string') return undefined;
  return attributes === undefined ? undefined : { namespace, name, attributes };
}

/** A `null` among the values is an empty text to Go. */
function toStringMap(value: unknown): Record<string, string> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const entries = Object.entries(value).map(([key, text]) => [key, text ?? ''] as const);
  return entries.every(([, text]) => typeof text === 'string') ? Object.fromEntries(entries) : undefined;
}

/** The first JSON value of a text, if it is an object or `null`; undefined if it is neither. */
function parseFirstValue(text: string): unknown {
  const trimmed = text.trimStart();
  const end = trimmed.startsWith('{') ? endOfObject(trimmed) : trimmed.startsWith('null') ? 'null'.length : 0;
  try {
    return JSON.parse(trimmed.slice(0, end)) as unknown;
  } catch {
    return undefined;
  }
}

function endOfObject(text: string): number {
  let depth = 0;
  // Strings whole, so that braces in them do not count.
  for (const match of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}]/g)) {
    if (match[0] === '{') depth++;
    else if (match[0] === '}' && --depth === 0) return match.index + 1;
  }
  return 0;
}
