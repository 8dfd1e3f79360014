import assert from 'node:assert/strict';
import fc from 'fast-check';
import { AppError } from '#src/api/errors.ts';
import { parseEndpointsAnnotation, type AnnotatedPort } from '#src/api/validation/endpoints.ts';
import { ANNOTATED_ENDPOINTS_MAX } from '#src/api/validation/limits.ts';

const one = (host: string, port: number): AnnotatedPort[] => [{ portName: undefined, endpoints: [{ host, port }] }];

describe('parseEndpointsAnnotation', () => {
  const good: [string, AnnotatedPort[]][] = [
    ['127.0.0.1:5432', one('127.0.0.1', 5432)],
    ['[::1]:1', one('::1', 1)],
    ['[2001:DB8::1]:65535', one('2001:db8::1', 65535)],
    ['DB.Internal.Example:5432', one('db.internal.example', 5432)],
    [
      ' pg = 10.0.0.1:5432 , 10.0.0.2:5432 ; http=web:80',
      [
        {
          portName: 'pg',
          endpoints: [
            { host: '10.0.0.1', port: 5432 },
            { host: '10.0.0.2', port: 5432 },
          ],
        },
        { portName: 'http', endpoints: [{ host: 'web', port: 80 }] },
      ],
    ],
  ];
  for (const [text, expected] of good) {
    it(`${text} → read`, () => assert.deepEqual(parseEndpointsAnnotation(text), expected));
  }

  const bad: [text: string, message: RegExp][] = [
    ['', /lacks an endpoint/],
    ['127.0.0.1:1,', /lacks an endpoint/],
    ['a=1.2.3.4:1;1.2.3.4:1', /several ports, and one without a name/],
    ['a=1.2.3.4:1;', /lacks an endpoint/],
    ['127.0.0.1', /"127.0.0.1", which is not host:port/],
    ['127.0.0.1:', /not host:port/],
    ['127.0.0.1:0', /number between 1 and 65535/],
    ['127.0.0.1:65536', /number between 1 and 65535/],
    ['127.0.0.1:+80', /not host:port/],
    ['::1:80', /not host:port/],
    ['[::1', /not host:port/],
    ['[]:80', /brackets are for IPv6/],
    ['[db]:80', /brackets are for IPv6/],
    ['[fe80::1%eth0]:80', /DNS name or an IP address/],
    [':80', /the host is empty/],
    ['127.1:80', /DNS name or an IP address/],
    ['http://a:80', /not host:port/],
    ['Pg=a:1', /"Pg" where the name of a port/],
    ['=a:1', /"" where the name of a port/],
    ['pg=a:1;pg=b:1', /names port "pg" twice/],
    ['a=b=c:1', /DNS name or an IP address/],
    ['a:1\nb:2', /not host:port/],
  ];
  for (const [text, message] of bad) {
    it(`${JSON.stringify(text)} → refused: ${message.source}`, () => {
      assert.throws(
        () => parseEndpointsAnnotation(text),
        (error) => {
          assert.ok(error instanceof AppError);
          assert.equal(error.code, 'ERR_INVALID_OBJECT');
          assert.match(error.message, message);
          assert.ok(error.fix);
          return true;
        },
      );
    });
  }

  it('as many endpoints as the bound → read; one more → refused', () => {
    const list = (count: number): string => Array.from({ length: count }, () => 'a:1').join(',');
    assert.equal(parseEndpointsAnnotation(list(ANNOTATED_ENDPOINTS_MAX))[0]?.endpoints.length, ANNOTATED_ENDPOINTS_MAX);
    assert.throws(() => parseEndpointsAnnotation(list(ANNOTATED_ENDPOINTS_MAX + 1)), /1001 endpoints, at most 1000/);
  });

  it('any text → ports of legal endpoints, or ERR_INVALID_OBJECT', () => {
    const part = fc.constantFrom(
      'a',
      '=',
      ':',
      ';',
      ',',
      '[',
      ']',
      '1',
      '::',
      '127.0.0.1',
      '65536',
      ' ',
      'pg',
      '\u0000',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(part).map((parts) => parts.join('')),
        ),
        (text) => {
          try {
            for (const { endpoints } of parseEndpointsAnnotation(text)) {
              assert.ok(
                endpoints.length > 0 && endpoints.every(({ host, port }) => host !== '' && port >= 1 && port <= 65535),
              );
            }
          } catch (error) {
            assert.ok(error instanceof AppError && error.code === 'ERR_INVALID_OBJECT', String(error));
          }
        },
      ),
    );
  });
});
