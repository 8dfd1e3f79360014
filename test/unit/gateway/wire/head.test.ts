import assert from 'node:assert/strict';
import fc from 'fast-check';
import { AppError } from '#src/api/errors.ts';
import { parseRequest } from '#src/gateway/clusterlink/requests.ts';
import {
  encodeRequestHead,
  encodeResponseHead,
  type HeadParser,
  makeBodiedRequestHeadParser,
  makeRequestHeadParser,
  makeResponseHeadParser,
} from '#src/gateway/wire/head.ts';
import { HEAD_BYTES_MAX, HEAD_FIELDS_MAX } from '#src/gateway/wire/limits.ts';
import { cut } from '../chunks.ts';

function parse<H>(parser: HeadParser<H>, chunks: readonly Buffer[]): { head: H; rest: Buffer } | undefined {
  for (const [index, chunk] of chunks.entries()) {
    const result = parser.push(chunk);
    if (result !== undefined) return { ...result, rest: Buffer.concat([result.rest, ...chunks.slice(index + 1)]) };
  }
  return undefined;
}

function fieldLines(count: number): string {
  return Array.from({ length: count }, (_, index) => `f${index}: x\r\n`).join('');
}

const REQUEST = 'CONNECT east:443 HTTP/1.1\r\n';
const tokenCharacters = [..."!#$%&'*+-.^_`|~09azAZ"];
const token = fc.string({ unit: fc.constantFrom(...tokenCharacters), minLength: 1, maxLength: 12 });
const visible = fc.string({
  unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
  minLength: 1,
});
const value = fc.array(visible, { maxLength: 4 }).map((words) => words.join(' \t'));
const fields = fc
  .uniqueArray(fc.tuple(token, value), { maxLength: 10, selector: ([name]) => name.toLowerCase() })
  .map((entries) => new Map(entries.filter(([name]) => !/^(content-length|transfer-encoding)$/i.test(name))));
const cuts = fc.infiniteStream(fc.integer({ min: 1, max: 60 }));
const rest = fc.uint8Array({ maxLength: 50 }).map((bytes) => Buffer.from(bytes));

function lowerCase(fields: ReadonlyMap<string, string>): Map<string, string> {
  return new Map([...fields].map(([name, value]) => [name.toLowerCase(), value]));
}

describe('makeRequestHeadParser', () => {
  it('any head that can be written, cut anywhere → the same head, and the bytes after it', () => {
    fc.assert(
      fc.property(token, visible, fields, rest, cuts, (method, target, fields, rest, cuts) => {
        const bytes = Buffer.concat([encodeRequestHead({ method, target, fields }), rest]);
        const result = parse(makeRequestHeadParser(), cut(bytes, cuts));
        assert.deepEqual(result, { head: { method, target, fields: lowerCase(fields) }, rest });
      }),
    );
  });

  it('any bytes → a head, nothing yet, or ERR_MALFORMED that is printable', () => {
    const piece = fc.oneof(fc.uint8Array({ maxLength: 30 }), fc.constantFrom('\r\n', '\r\n\r\n', ': ', REQUEST, 'a'));
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        try {
          makeRequestHeadParser().push(Buffer.concat(pieces.map((piece) => Buffer.from(piece as string))));
        } catch (error) {
          assert.ok(error instanceof AppError && error.code === 'ERR_MALFORMED');
          assert.match(error.message, /^[\x20-\x7e]+$/);
        }
      }),
    );
  });

  const bad: { name: string; text: string; message: RegExp }[] = [
    { name: 'an empty first line', text: '\r\n\r\n', message: /request line/ },
    { name: 'LF without CR', text: `${REQUEST}a: b\n\r\n`, message: /CR and LF/ },
    { name: 'CR without LF', text: `${REQUEST}a: b\rc: d\r\n\r\n`, message: /CR and LF/ },
    { name: 'CR twice', text: `${REQUEST}\r\r\n`, message: /CR and LF/ },
    { name: 'LF at the start', text: `\n${REQUEST}\r\n`, message: /CR and LF/ },
    { name: 'NUL', text: `${REQUEST}a: b\0c\r\n\r\n`, message: /0x00/ },
    { name: 'ESC', text: `${REQUEST}a: \x1b[31m\r\n\r\n`, message: /0x1b/ },
    { name: 'DEL', text: `${REQUEST}a: \x7f\r\n\r\n`, message: /0x7f/ },
    { name: 'a byte above ASCII', text: `${REQUEST}a: \xe9\r\n\r\n`, message: /0xe9/ },
    { name: 'a TLS record', text: '\x16\x03\x01', message: /0x16/ },
    { name: 'folding with a space', text: `${REQUEST}a: b\r\n c\r\n\r\n`, message: /not a field/ },
    { name: 'folding with a tab', text: `${REQUEST}a: b\r\n\tc: d\r\n\r\n`, message: /not a field/ },
    { name: 'a space before the colon', text: `${REQUEST}a : b\r\n\r\n`, message: /not a field/ },
    { name: 'a field without a colon', text: `${REQUEST}abc\r\n\r\n`, message: /not a field/ },
    { name: 'a field without a name', text: `${REQUEST}: b\r\n\r\n`, message: /not a field/ },
    { name: 'a name that is not a token', text: `${REQUEST}a@b: c\r\n\r\n`, message: /not a field/ },
    { name: 'a field twice', text: `${REQUEST}a: b\r\na: b\r\n\r\n`, message: /"a" appears twice/ },
    {
      name: 'a field twice in another case',
      text: `${REQUEST}Host: b\r\nhOST: b\r\n\r\n`,
      message: /"host" appears twice/,
    },
    { name: 'a body by length', text: `${REQUEST}Content-Length: 1\r\n\r\n`, message: /body/ },
    { name: 'a length that is 0 for some', text: `${REQUEST}Content-Length: 00\r\n\r\n`, message: /body/ },
    { name: 'an empty length', text: `${REQUEST}Content-Length:\r\n\r\n`, message: /body/ },
    { name: 'a body by encoding', text: `${REQUEST}Transfer-Encoding: identity\r\n\r\n`, message: /body/ },
    { name: 'HTTP/1.0', text: 'CONNECT east:443 HTTP/1.0\r\n\r\n', message: /request line/ },
    { name: 'HTTP/2 preface', text: 'PRI * HTTP/2.0\r\n\r\n', message: /request line/ },
    { name: 'lower-case protocol', text: 'CONNECT east:443 http/1.1\r\n\r\n', message: /request line/ },
    { name: 'two spaces', text: 'CONNECT  east:443 HTTP/1.1\r\n\r\n', message: /request line/ },
    { name: 'a tab as separator', text: 'CONNECT\teast:443 HTTP/1.1\r\n\r\n', message: /request line/ },
    { name: 'a space after the line', text: 'CONNECT east:443 HTTP/1.1 \r\n\r\n', message: /request line/ },
    { name: 'a space before the line', text: ' CONNECT east:443 HTTP/1.1\r\n\r\n', message: /request line/ },
    { name: 'no target', text: 'CONNECT HTTP/1.1\r\n\r\n', message: /request line/ },
    { name: 'a method that is not a token', text: 'CON(NECT east:443 HTTP/1.1\r\n\r\n', message: /request line/ },
    { name: 'an answer', text: 'HTTP/1.1 200 OK\r\n\r\n', message: /request line/ },
    { name: 'one field too many', text: `${REQUEST}${fieldLines(HEAD_FIELDS_MAX + 1)}\r\n`, message: /64 fields/ },
  ];
  for (const { name, text, message } of bad) {
    it(`${name} → ERR_MALFORMED`, () => {
      assert.throws(() => makeRequestHeadParser().push(Buffer.from(text, 'latin1')), {
        code: 'ERR_MALFORMED',
        message,
      });
    });

    it(`${name}, in ClusterLink's form → ERR_MALFORMED by its head or what is made of it`, () => {
      const read = (): unknown => {
        const read = makeBodiedRequestHeadParser().push(Buffer.from(text, 'latin1'));
        return parseRequest(read?.head ?? assert.fail('no head'));
      };
      assert.throws(read, { code: 'ERR_MALFORMED' });
    });
  }

  it('64 fields → accepted', () => {
    const result = makeRequestHeadParser().push(Buffer.from(`${REQUEST}${fieldLines(HEAD_FIELDS_MAX)}\r\n`));
    assert.equal(result?.head.fields.size, HEAD_FIELDS_MAX);
  });

  for (const [bytes, outcome] of [
    [HEAD_BYTES_MAX, 'accepted'],
    [HEAD_BYTES_MAX + 1, 'ERR_MALFORMED'],
  ] as const) {
    it(`a head of ${bytes} bytes, byte by byte → ${outcome}`, () => {
      const filler = 'x'.repeat(bytes - REQUEST.length - 'a: \r\n\r\n'.length);
      const chunks = cut(Buffer.from(`${REQUEST}a: ${filler}\r\n\r\n`), Array<number>(bytes).fill(1));
      if (outcome === 'accepted') assert.ok(parse(makeRequestHeadParser(), chunks));
      else assert.throws(() => parse(makeRequestHeadParser(), chunks), { code: 'ERR_MALFORMED', message: /16384/ });
    });
  }

  it('a head without an end → ERR_MALFORMED once it is too large', () => {
    const parser = makeRequestHeadParser();
    assert.equal(parser.push(Buffer.alloc(HEAD_BYTES_MAX, 'x')), undefined);
    assert.throws(() => parser.push(Buffer.from('x')), { code: 'ERR_MALFORMED' });
  });

  it("a head as Go's HTTP client writes it → accepted, content-length 0 too", () => {
    const text =
      'CONNECT 10.0.0.1:443 HTTP/1.1\r\nHost: east:443\r\nUser-Agent: Go-http-client/1.1\r\n' +
      'Authorization: Bearer x.y.z\r\nContent-Length: 0\r\nAccept-Encoding:\tgzip \r\n\r\nSSH-2.0';
    const result = makeRequestHeadParser().push(Buffer.from(text));
    assert.equal(result?.head.fields.get('authorization'), 'Bearer x.y.z');
    assert.equal(result?.head.fields.get('accept-encoding'), 'gzip');
    assert.equal(result?.rest.toString(), 'SSH-2.0');
  });
});

describe('makeResponseHeadParser', () => {
  it('any head that can be written, cut anywhere → the same head, and the bytes after it', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 100, max: 599 }),
        value,
        fields,
        rest,
        cuts,
        (status, reason, fields, rest, cuts) => {
          const bytes = Buffer.concat([encodeResponseHead({ status, reason, fields }), rest]);
          const result = parse(makeResponseHeadParser(), cut(bytes, cuts));
          assert.deepEqual(result, { head: { status, reason, fields: lowerCase(fields) }, rest });
        },
      ),
    );
  });

  for (const line of [
    'HTTP/1.1 200',
    'HTTP/1.1 20 OK',
    'HTTP/1.1 2000 OK',
    'HTTP/1.1 600 x',
    'HTTP/1.0 200 OK',
    REQUEST.trim(),
  ]) {
    it(`${line} → ERR_MALFORMED`, () => {
      assert.throws(() => makeResponseHeadParser().push(Buffer.from(`${line}\r\n\r\n`)), { code: 'ERR_MALFORMED' });
    });
  }
});

describe('encodeRequestHead', () => {
  const bad: { name: string; method?: string; target?: string; fields?: [string, string][] }[] = [
    { name: 'a method with a space', method: 'GET /' },
    { name: 'a target with a line', target: 'a\r\nb' },
    { name: 'an empty target', target: '' },
    { name: 'a name with a colon', fields: [['a:', 'b']] },
    { name: 'a value with a line', fields: [['a', 'b\r\nc: d']] },
    { name: 'a value with space around', fields: [['a', ' b']] },
    { name: 'a value above ASCII', fields: [['a', 'é']] },
    { name: 'a field in two cases', fields: [['a', 'b'], ['A', 'b']] }, // prettier-ignore
    { name: 'a body', fields: [['Content-Length', '1']] },
    { name: 'too many fields', fields: Array.from({ length: HEAD_FIELDS_MAX + 1 }, (_, index) => [`f${index}`, '']) },
    { name: 'too many bytes', fields: [['a', 'x'.repeat(HEAD_BYTES_MAX)]] },
  ];
  for (const { name, method = 'GET', target = '/', fields = [] } of bad) {
    it(`${name} → ERR_MALFORMED`, () => {
      assert.throws(() => encodeRequestHead({ method, target, fields: new Map(fields) }), { code: 'ERR_MALFORMED' });
    });
  }
});
