/**
 * Heads that are known from connections before: those of one client to one export differ in their ids alone, and a yes in nothing
 * else. What is not known is parsed, and only what was parsed is known: so both ways of reading a head give the same. Pure.
 */
import {
  CONNECT_FIELDS,
  isConnectionId,
  parseAnswer,
  parseStreamRequest,
  yesTo,
  type ConnectAnswer,
  type ConnectRequest,
  type StreamRequest,
} from './connect.ts';
import { makeRequestHeadParser, makeResponseHeadParser, type HeadParser } from './head.ts';
import { KNOWN_HEAD_BYTES_MAX, KNOWN_HEADS_MAX } from './limits.ts';

const END = Buffer.from('\r\n\r\n');
const CONNECTION_LINE = `\r\n${CONNECT_FIELDS.connection}: `;
const ID_CHARACTERS = 32;
/** Stands for the id: no head has it. */
const ID_PLACE = '\0';

interface KnownRequest {
  readonly request: ConnectRequest;
  /** The client is not told from others: its id is that of the connection. */
  readonly isClientAlone: boolean;
}

/** By their text with {@link ID_PLACE} for the id, the oldest first. */
const known = new Map<string, KnownRequest>();

/** Reads what a peer asks for on a stream. Throws what {@link parseStreamRequest} and the parser of heads throw. */
export function makeStreamRequestParser(): HeadParser<StreamRequest> {
  return new StreamRequestParser();
}

class StreamRequestParser implements HeadParser<StreamRequest> {
  #parser: HeadParser<Parameters<typeof parseStreamRequest>[0]> | undefined;

  push(chunk: Buffer): { readonly head: StreamRequest; readonly rest: Buffer } | undefined {
    const whole = this.#parser === undefined ? readWhole(chunk) : undefined;
    const recalled = whole === undefined ? undefined : recall(whole);
    if (whole !== undefined && recalled !== undefined) {
      return { head: { kind: 'connect', request: recalled }, rest: chunk.subarray(whole.bytes) };
    }
    this.#parser ??= makeRequestHeadParser();
    const parsed = this.#parser.push(chunk);
    if (parsed === undefined) return undefined;
    const head = parseStreamRequest(parsed.head);
    if (whole !== undefined && head.kind === 'connect') remember(whole, head.request);
    return { head, rest: parsed.rest };
  }
}

/** A head that has come in one piece. */
interface WholeHead {
  readonly bytes: number;
  readonly id: string;
  /** The text with {@link ID_PLACE} for the id. */
  readonly form: string;
}

/** Undefined where there is none, or none that is worth it. */
function readWhole(chunk: Buffer): WholeHead | undefined {
  const end = chunk.indexOf(END);
  if (end === -1 || end > KNOWN_HEAD_BYTES_MAX) return undefined;
  const text = chunk.toString('latin1', 0, end);
  const line = text.indexOf(CONNECTION_LINE);
  if (line === -1 || text.includes(ID_PLACE)) return undefined;
  const begin = line + CONNECTION_LINE.length;
  // Of its own: a part of the text would keep all of that for as long as the connection is open.
  const id = chunk.toString('latin1', begin, begin + ID_CHARACTERS);
  if (!isConnectionId(id)) return undefined;
  return { bytes: end + END.length, id, form: text.replaceAll(id, ID_PLACE) };
}

function recall({ id, form }: WholeHead): ConnectRequest | undefined {
  const found = known.get(form);
  if (found === undefined) return undefined;
  const { request, isClientAlone } = found;
  return { ...request, connection: id, client: isClientAlone ? id : request.client };
}

function remember({ id, form }: WholeHead, request: ConnectRequest): void {
  const isClientAlone = request.client === id;
  // Anywhere else it would be a part of what is said, which is another one in the next head.
  const places = form.split(ID_PLACE).length - 1;
  if (places !== (isClientAlone ? 2 : 1)) return;
  known.set(form, { request, isClientAlone });
  const [oldest] = known.keys();
  if (known.size > KNOWN_HEADS_MAX && oldest !== undefined) known.delete(oldest);
}

/** Reads the answer to a request. Throws what {@link parseAnswer} and the parser of heads throw. @param connection - of the request. */
export function makeAnswerParser(connection: string): HeadParser<ConnectAnswer> {
  return new AnswerParser(connection);
}

class AnswerParser implements HeadParser<ConnectAnswer> {
  readonly #connection: string;
  #parser: HeadParser<Parameters<typeof parseAnswer>[0]> | undefined;

  constructor(connection: string) {
    this.#connection = connection;
  }

  push(chunk: Buffer): { readonly head: ConnectAnswer; readonly rest: Buffer } | undefined {
    const yes = yesTo(this.#connection);
    if (this.#parser === undefined && chunk.length >= yes.length && chunk.toString('latin1', 0, yes.length) === yes) {
      return { head: { ok: true, connection: this.#connection }, rest: chunk.subarray(yes.length) };
    }
    this.#parser ??= makeResponseHeadParser();
    const parsed = this.#parser.push(chunk);
    return parsed === undefined ? undefined : { head: parseAnswer(parsed.head), rest: parsed.rest };
  }
}
