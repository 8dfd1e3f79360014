import assert from 'node:assert/strict';
import { AppError } from '#src/api/errors.ts';
import { makeLogger, makeSilentLogger, type Logger } from '#src/runtime/log.ts';

function loggedBy(write: (logger: Logger) => void): Record<string, unknown> {
  const lines: string[] = [];
  write(
    makeLogger({
      level: 'debug',
      bindings: { peer: 'east' },
      destination: { write: (line: string) => void lines.push(line) },
    }),
  );
  assert.equal(lines.length, 1);
  return JSON.parse(lines[0] ?? '') as Record<string, unknown>;
}

describe('makeLogger', () => {
  it('a line → level by name, time as RFC 3339, bindings, fields, message', () => {
    const line = loggedBy((logger) => logger.child({ component: 'dns' }).info({ count: 1 }, 'Zone was built'));
    assert.deepEqual(
      { ...line, time: 0 },
      { level: 'info', time: 0, peer: 'east', component: 'dns', count: 1, msg: 'Zone was built' },
    );
    assert.match(String(line.time), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  });

  const PEM = '-----BEGIN PRIVATE KEY-----\nMC4CAQAw\n-----END PRIVATE KEY-----';
  const secrets: readonly (readonly [string, Record<string, unknown>])[] = [
    ['token', { token: 'SECRET' }],
    ['authorization', { authorization: 'Bearer SECRET' }],
    ['keyPem', { keyPem: 'SECRET' }],
    ['an inner token', { request: { token: 'SECRET' } }],
    ['an inner key', { identity: { keyPem: 'SECRET' } }],
    ['headers', { headers: { authorization: 'SECRET' } }],
    ['inner headers', { request: { headers: { 'proxy-authorization': 'SECRET' } } }],
    ['a private key under "key"', { key: PEM.replace('MC4CAQAw', 'SECRET') }],
    ['an object under "key"', { key: { d: 'SECRET' } }],
  ];
  for (const [title, fields] of secrets) {
    it(`${title} → redacted`, () => {
      const text = JSON.stringify(loggedBy((logger) => logger.info(fields, 'Happened')));
      assert.ok(!text.includes('SECRET'), text);
      assert.ok(text.includes('[redacted]'), text);
    });
  }

  it('the key of a work queue → shown', () => {
    assert.equal(loggedBy((logger) => logger.info({ key: 'shop/db' }, 'Happened')).key, 'shop/db');
  });

  it('an AppError → its code and remedy with it', () => {
    const err = new AppError('ERR_LISTEN', 'x: in use', { fix: 'choose another' });
    const line = loggedBy((logger) => logger.error({ err }, 'Start failed'));
    const logged = line.err as Record<string, unknown>;
    assert.deepEqual([logged.code, logged.fix, logged.message], ['ERR_LISTEN', 'choose another', 'x: in use']);
  });

  it('a line break in a field → stays inside its line', () => {
    assert.equal(
      loggedBy((logger) => logger.info({ name: 'a\n{"level":"error"}' }, 'Happened')).name,
      'a\n{"level":"error"}',
    );
  });

  it('below the level → nothing', () => {
    const lines: string[] = [];
    const logger = makeLogger({ level: 'warn', destination: { write: (line: string) => void lines.push(line) } });
    logger.info('Happened');
    assert.deepEqual(lines, []);
  });
});

describe('makeSilentLogger', () => {
  it('any line → nothing, and children are silent too', () => {
    assert.equal(makeSilentLogger().child({ a: 1 }).isLevelEnabled('fatal'), false);
  });
});
