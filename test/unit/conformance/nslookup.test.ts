import assert from 'node:assert/strict';
import { parseAddresses, parseSrvRecords, toCanonicalAddress } from '#test/conformance/nslookup.ts';

const SERVER = 'Server:\t\t10.96.0.10\r\nAddress:\t10.96.0.10#53\r\n\r\n';
const NAME = 'hello.ns.svc.clusterset.local';

describe('parseAddresses', () => {
  const rows: [string, string, string[]][] = [
    ['one address', `${SERVER}Name:\t${NAME}\r\nAddress: 10.96.0.1\r\n\r\n`, ['10.96.0.1']],
    [
      'two, unsorted',
      `${SERVER}Name:\t${NAME}\nAddress: 10.2.0.9\nName:\t${NAME}\nAddress: 10.1.0.5\n`,
      ['10.1.0.5', '10.2.0.9'],
    ],
    ['one twice', `${SERVER}Name:\t${NAME}\nAddress: 10.2.0.9\nName:\t${NAME}\nAddress: 10.2.0.9\n`, ['10.2.0.9']],
    ['an IPv6 address in a long form', `${SERVER}Name:\t${NAME}\nAddress: fd00:0:0::7\n`, ['fd00::7']],
    ['the words of older releases', `${SERVER}${NAME} has AAAA address fd00::7\n`, ['fd00::7']],
    ['a cached answer', `${SERVER}Non-authoritative answer:\nName:\t${NAME}\nAddress: 10.2.0.9\n`, ['10.2.0.9']],
    ['no such name', `${SERVER}** server can't find ${NAME}: NXDOMAIN\n`, []],
    ['no address of that family', `${SERVER}*** Can't find ${NAME}: No answer\n`, []],
    ['nothing', '', []],
  ];
  for (const [what, output, expected] of rows) {
    it(`${what} → ${expected.join(', ') || 'none'}`, () => assert.deepEqual(parseAddresses(output), expected));
  }

  it('the server without a port, before the name → not an answer', () => {
    assert.deepEqual(
      parseAddresses(`Server:\t10.96.0.10\nAddress: 10.96.0.10\n\nName:\t${NAME}\nAddress: 10.2.0.9\n`),
      ['10.2.0.9'],
    );
  });
});

describe('parseSrvRecords', () => {
  it('records → port and target without the final dot', () => {
    const output = `${SERVER}${NAME}\tservice = 0 100 42 ${NAME}.\r\n${NAME}\tservice = 0 50 80 a-0.east.${NAME}.\r\n`;
    assert.deepEqual(parseSrvRecords(output), [
      { port: 42, target: NAME },
      { port: 80, target: `a-0.east.${NAME}` },
    ]);
  });

  it('additional records of an answer without authority → counted, as the official suite does (DNS-27)', () => {
    const output = `${NAME}\tservice = 0 100 42 ${NAME}.\n\nAuthoritative answers can be found from:\n${NAME}\tinternet address = 10.0.0.1\n`;
    assert.deepEqual(parseSrvRecords(output), [
      { port: 42, target: NAME },
      { port: undefined, target: '10.0.0.1' },
    ]);
  });

  it('no answer → no records', () =>
    assert.deepEqual(parseSrvRecords(`${SERVER}*** Can't find ${NAME}: No answer\n`), []));
});

describe('toCanonicalAddress', () => {
  const rows = [
    ['10.0.0.1', '10.0.0.1'],
    ['FD00:0:0:0:0:0:0:7', 'fd00::7'],
    ['none', 'none'],
  ] as const;
  for (const [text, expected] of rows)
    it(`${text} → ${expected}`, () => assert.equal(toCanonicalAddress(text), expected));
});
