/** Whether a responder answers rightly: a wrong answer may be a fast one. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { decode, encode, type Answer } from 'dns-packet';
import { hostOf, missingHost, serviceOf, type Import } from './names.ts';
import type { Place, System } from './system.ts';

/** Spread over all imports, the first and the last included. */
export const SAMPLE = 25;
const TIMEOUT_MS = 2_000;
const RECURSION_DESIRED = 0x0100;
const RCODE_MASK = 0xf;
const RCODES: Readonly<Record<number, string>> = { 0: '', 3: 'NXDOMAIN' };

/** @throws {Error} that says what was answered instead. */
export async function verify(answers: System['answers'], place: Place, imports: readonly Import[]): Promise<void> {
  const socket = createSocket('udp4');
  const ask = async (query: Buffer): Promise<Buffer> => {
    const answered = once(socket, 'message', { signal: AbortSignal.timeout(TIMEOUT_MS) });
    socket.send(query, place.port, place.host);
    return ((await answered) as [Buffer])[0];
  };
  try {
    await (answers === 'names' ? verifyNames(ask, imports) : verifyEcho(ask));
  } finally {
    socket.close();
  }
}

type Ask = (query: Buffer) => Promise<Buffer>;

async function verifyNames(ask: Ask, imports: readonly Import[]): Promise<void> {
  const expect = async (name: string, type: 'A' | 'SRV', wanted: string): Promise<void> => {
    const query = encode({ type: 'query', id: 1, flags: RECURSION_DESIRED, questions: [{ type, name }] });
    const answer = toText(await ask(query));
    if (answer !== wanted) throw new Error(`${name} ${type}: answered ${answer || 'nothing'} instead of ${wanted}`);
  };
  for (const [index, each] of takeSample(imports).entries()) {
    await expect(hostOf(each), 'A', each.address);
    await expect(serviceOf(each), 'SRV', `${each.port} ${hostOf(each)}`);
    await expect(missingHost(index), 'A', 'NXDOMAIN');
  }
}

export function takeSample(imports: readonly Import[]): readonly Import[] {
  const last = imports.length - 1;
  const indexes = Array.from({ length: SAMPLE }, (_, index) => Math.round((index * last) / (SAMPLE - 1)));
  return [...new Set(indexes)].flatMap((index) => imports[index] ?? []);
}

/** An address, `port target`, or a code. */
function toText(reply: Buffer): string {
  const code = reply.readUInt16BE(2) & RCODE_MASK;
  const answers = (decode(reply).answers ?? []).map((answer) => toData(answer));
  return [RCODES[code] ?? `code ${code}`, ...answers].filter(Boolean).join(', ');
}

function toData(answer: Answer): string {
  if (answer.type === 'A') return answer.data;
  if (answer.type === 'SRV') return `${answer.data.port} ${answer.data.target}`;
  return answer.type;
}

/** A header alone (RFC 1035 §4.1.1) comes back with the bit of an answer. */
async function verifyEcho(ask: Ask): Promise<void> {
  const answer = (await ask(Buffer.from('1234010000000000000000', 'hex'))).toString('hex');
  if (answer !== '1234810000000000000000') throw new Error(`the echo: answered ${answer}`);
}
