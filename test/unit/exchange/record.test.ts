import assert from 'node:assert/strict';
import fc from 'fast-check';
import { AppError } from '#src/api/errors.ts';
import { RECORD_BYTES_MAX } from '#src/exchange/limits.ts';
import { parseRecord } from '#src/exchange/record.ts';
import { makeRecord } from './samples.ts';

describe('parseRecord', () => {
  const port = { name: 'pg', protocol: 'TCP' as const, port: 5432 };
  const bad: { name: string; record: unknown; message: RegExp }[] = [
    { name: 'not an object', record: 'db', message: /value must be/ },
    { name: 'a namespace that is no label', record: makeRecord('db', { namespace: 'Shop' }), message: /namespace/ },
    { name: 'a path as a name', record: makeRecord('../db'), message: /name/ },
    { name: 'an unknown type', record: { ...makeRecord('db'), type: 'Anycast' }, message: /type/ },
    { name: 'port 0', record: makeRecord('db', { ports: [{ ...port, port: 0 }] }), message: /ports\[0\]\.port/ },
    {
      name: 'port 70000',
      record: makeRecord('db', { ports: [{ ...port, port: 70_000 }] }),
      message: /ports\[0\]\.port/,
    },
    { name: 'a default port of 0', record: makeRecord('db', { defaultPort: 0 }), message: /defaultPort/ },
    {
      name: 'two ports of one name',
      record: makeRecord('db', { ports: [port, { ...port, port: 1 }] }),
      message: /one name/,
    },
    {
      name: 'two ports of one number',
      record: makeRecord('db', { ports: [port, { ...port, name: 'b' }] }),
      message: /protocol and number/,
    },
    {
      name: '65 ports',
      record: makeRecord('db', {
        ports: Array.from({ length: 65 }, (_, index) => ({ ...port, name: `p${index}`, port: index + 1 })),
      }),
      message: /ports/,
    },
    {
      name: 'a day that does not exist',
      record: makeRecord('db', { createdAt: '2026-02-31T10:00:00Z' }),
      message: /createdAt/,
    },
    {
      name: 'a local time',
      record: makeRecord('db', { createdAt: '2026-11-20T10:00:00+01:00' }),
      message: /createdAt/,
    },
    {
      name: 'a control character in a label',
      record: makeRecord('db', { labels: { tier: 'a\u001b[2J' } }),
      message: /labels/,
    },
    { name: 'endpoints below zero', record: makeRecord('db', { readyEndpoints: -1 }), message: /readyEndpoints/ },
    {
      name: 'more bytes than the bound',
      record: makeRecord('db', { annotations: { a: 'x'.repeat(RECORD_BYTES_MAX) } }),
      message: /longer than/,
    },
  ];
  for (const { name, record, message } of bad) {
    it(`${name} → ERR_MALFORMED that names the member`, () => {
      assert.throws(
        () => parseRecord(record),
        (error: unknown) => error instanceof AppError && error.code === 'ERR_MALFORMED' && message.test(error.message),
      );
    });
  }

  it('an unknown member → dropped; an unknown requirement → kept for the merge to refuse', () => {
    const record = makeRecord('db', { requires: ['teleport'] });
    assert.deepEqual(parseRecord({ ...record, colour: 'red' }), record);
  });

  it('64 ports and a record of exactly its bound → accepted', () => {
    const ports = Array.from({ length: 64 }, (_, index) => ({
      name: `p${index}`,
      protocol: 'TCP' as const,
      port: index + 1,
    }));
    const record = makeRecord('db', { ports, annotations: {} });
    const room = RECORD_BYTES_MAX - JSON.stringify(record).length;
    const annotations: Record<string, string> = {};
    for (let left = room, index = 0; left > 16; index++) {
      const key = `k${index}`;
      const size = Math.min(4000, left - key.length - 6);
      annotations[key] = 'x'.repeat(size);
      left -= size + key.length + 6;
    }
    assert.deepEqual(parseRecord({ ...record, annotations }), { ...record, annotations });
  });

  it('any JSON → a record or ERR_MALFORMED, never another error', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        try {
          parseRecord(value);
        } catch (error) {
          assert.equal((error as AppError).code, 'ERR_MALFORMED');
        }
      }),
    );
  });
});
