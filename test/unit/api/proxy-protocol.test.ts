import assert from 'node:assert/strict';
import { parseProxyProtocol } from '#src/api/proxy-protocol.ts';
import { LISTED_PROXY_PORTS_MAX } from '#src/api/validation/limits.ts';
import { ourAnnotationProblems } from '#src/api/validation/our-annotations.ts';

const many = (count: number): string => `v2:${Array.from({ length: count }, (_, index) => index + 1).join()}`;

describe('parseProxyProtocol', () => {
  it('v2 → all ports', () => assert.deepEqual(parseProxyProtocol('v2'), { ok: true, ports: undefined }));
  it('ports by name and number, with spaces → these', () => {
    assert.deepEqual(parseProxyProtocol('v2: http, 5432'), { ok: true, ports: ['http', '5432'] });
  });
  it('as many ports as an export has → fine; one more → refused', () => {
    assert.equal(parseProxyProtocol(many(LISTED_PROXY_PORTS_MAX)).ok, true);
    assert.equal(parseProxyProtocol(many(LISTED_PROXY_PORTS_MAX + 1)).ok, false);
  });

  const wrong: [text: string, message: RegExp, fix: RegExp][] = [
    ['', /must be "v2".*is ""/, /Write "v2".*delete it/],
    ['true', /is "true"/, /Write "v2"/],
    ['V2', /is "V2"/, /Write "v2"/],
    ['v1', /is "v1"/, /version 1 has no room for who the peer is/],
    ['1', /is "1"/, /version 1 has no room/],
    ['v2:', /has ""/, /v2:http,5432/],
    ['v2:http,', /has ""/, /v2:http,5432/],
    ['v2:HTTP', /has "HTTP"/, /v2:http,5432/],
    ['v2:0', /has "0"/, /v2:http,5432/],
    ['v2:65536', /has "65536"/, /v2:http,5432/],
    ['v2:a:b', /is "v2:a:b"/, /Write "v2"/],
    ['http', /is "http"/, /v2:http,5432/],
  ];
  for (const [text, message, fix] of wrong) {
    it(`${JSON.stringify(text)} → refused, with a remedy`, () => {
      const parsed = parseProxyProtocol(text);
      assert.ok(!parsed.ok);
      assert.match(parsed.message, message);
      assert.match(parsed.fix, fix);
    });
  }
});

describe('ourAnnotationProblems, proxy-protocol', () => {
  const on = (kind: 'ServiceExport' | 'Export' | 'Service', value: string): string[] =>
    ourAnnotationProblems(kind, { metadata: { annotations: { 'mcs.clusterlink.net/proxy-protocol': value } } }).map(
      ({ message, fix }) => `${message}. ${fix}`,
    );
  it('v2 on a ServiceExport and on an Export → fine; ports on the one that may have several', () => {
    assert.deepEqual([...on('ServiceExport', 'v2'), ...on('Export', 'v2'), ...on('ServiceExport', 'v2:http')], []);
    assert.match(on('Export', 'v2:5432')[0] ?? '', /must be "v2", is "v2:5432".*an Export has one port/);
  });
  it('on a Service → refused: it is the export that is told', () =>
    assert.match(on('Service', 'v2')[0] ?? '', /means nothing on a Service.*Put it on a ServiceExport/));
  it('what cannot be read → refused on either', () => {
    assert.match(on('ServiceExport', 'v1')[0] ?? '', /must be "v2"/);
    assert.match(on('Export', 'v1')[0] ?? '', /must be "v2"/);
  });
});
