import assert from 'node:assert/strict';
import { formatHostPort, parseHostPort } from '#src/runtime/host-port.ts';

describe('parseHostPort', () => {
  const good: readonly (readonly [string, string, number])[] = [
    ['127.0.0.1:1', '127.0.0.1', 1],
    ['0.0.0.0:65535', '0.0.0.0', 65_535],
    ['[::1]:443', '::1', 443],
    ['[2001:db8::1]:443', '2001:db8::1', 443],
    ['localhost:80', 'localhost', 80],
    ['GW.Example.com:443', 'GW.Example.com', 443],
  ];
  for (const [text, host, port] of good) {
    it(`${text} → ${host} and ${port}, and back`, () => {
      assert.deepEqual(parseHostPort(text), { host, port });
      assert.equal(formatHostPort({ host, port }), text);
    });
  }
  const bad = [
    '',
    ':80',
    'host',
    'host:',
    'host:0',
    'host:65536',
    'host:-1',
    'host:1e3',
    'host:80 ',
    '::1:80',
    '[::1]',
    '[::1]80',
    '[127.0.0.1]:80',
    '[fe80::1%eth0:80',
    '256.0.0.1:80',
    '1.2.3:80',
    'ho_st:80',
    '*:80',
    'http://a:80',
  ];
  for (const text of bad) it(`${JSON.stringify(text)} → undefined`, () => assert.equal(parseHostPort(text), undefined));
});
