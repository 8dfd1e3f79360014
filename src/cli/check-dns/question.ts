/** One question to one DNS server, and what became of it. */
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { Packet, type Resource } from 'dns2';
import { QUESTION_TIMEOUT_MS, QUESTION_TRIES_MAX } from './limits.ts';
import { formatTarget, type Target } from './targets.ts';

export type QuestionType = 'A' | 'AAAA' | 'TXT';

export interface Question {
  /** Absolute; with or without the trailing dot. */
  readonly name: string;
  readonly type: QuestionType;
}

export interface Asked extends Question {
  /** `10.96.0.10:53` */
  readonly server: string;
  readonly ms: number;
  readonly outcome: Answer | { readonly silent: string };
}

export interface Answer {
  /** `NOERROR`, `NXDOMAIN`; a number where it has no name here. */
  readonly rcode: string;
  /** Sorted: addresses, texts. */
  readonly answers: readonly string[];
}

/** RFC 1035 §4.1.1; others are not seen for such questions. */
const RCODES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'];
const QR_BIT = 0x8000;
const HEADER_BYTES = 12;

/** Resolves within the deadlines of limits.ts, whatever the server does. */
export async function askServer(target: Target, question: Question): Promise<Asked> {
  const server = formatTarget(target);
  const started = performance.now();
  let outcome: Asked['outcome'] = { silent: 'not asked' };
  for (let tries = 0; tries < QUESTION_TRIES_MAX && 'silent' in outcome; tries += 1) {
    outcome = await askOnce(target, question);
  }
  return { ...question, server, ms: Math.round(performance.now() - started), outcome };
}

function askOnce({ address, port }: Target, question: Question): Promise<Asked['outcome']> {
  const id = randomInt(0x10000);
  const query = encodeQuestion(id, question);
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
  const { promise, resolve } = Promise.withResolvers<Asked['outcome']>();
  const timer = setTimeout(
    () => resolve({ silent: `no answer within ${QUESTION_TIMEOUT_MS} ms` }),
    QUESTION_TIMEOUT_MS,
  );
  socket.on('error', (error: NodeJS.ErrnoException) => resolve({ silent: error.code ?? error.message }));
  socket.on('message', (message) => {
    const answer = readAnswer(message, { id, question });
    if (answer !== undefined) resolve(answer);
  });
  // Connected: only this server is heard, and that nothing listens there is told at once.
  socket.connect(port, address, () => socket.send(query));
  return promise.finally(() => {
    clearTimeout(timer);
    socket.close();
  });
}

export function encodeQuestion(id: number, { name, type }: Question): Buffer {
  const packet = new Packet();
  packet.header.id = id;
  packet.header.rd = 1;
  packet.questions.push(
    new Packet.Question({ name: name.replace(/\.$/, ''), type: Packet.TYPE[type], class: Packet.CLASS.IN }),
  );
  return packet.toBuffer();
}

/** undefined for what is no answer to this question: it is waited on. Never throws. */
export function readAnswer(
  message: Buffer,
  { id, question }: { readonly id: number; readonly question: Question },
): Answer | undefined {
  if (message.length < HEADER_BYTES || message.readUInt16BE(0) !== id) return undefined;
  if ((message.readUInt16BE(2) & QR_BIT) === 0) return undefined;
  let packet: Packet;
  try {
    packet = Packet.parse(message);
  } catch {
    return undefined;
  }
  const [asked] = packet.questions;
  const sameName = (name: string): boolean => name.toLowerCase() === question.name.replace(/\.$/, '').toLowerCase();
  // A refusal may come without its question.
  if (asked !== undefined && (!sameName(asked.name) || asked.type !== Packet.TYPE[question.type])) return undefined;
  const records = packet.answers.filter(({ type }) => type === Packet.TYPE[question.type]);
  const { rcode } = packet.header;
  return {
    rcode: RCODES[rcode] ?? String(rcode),
    answers: records.map(({ address, data }) => address ?? textOf(data)).sort(),
  };
}

function textOf(data: Resource['data']): string {
  if (Array.isArray(data)) return data.join('');
  return data === undefined ? '' : data.toString();
}

/** `NXDOMAIN`, `10.45.0.7`, `no answer within 2000 ms`. */
export function formatOutcome(outcome: Asked['outcome']): string {
  if ('silent' in outcome) return outcome.silent;
  if (outcome.rcode !== 'NOERROR') return outcome.rcode;
  return outcome.answers.join(', ') || 'no such record';
}
