import assert from 'node:assert/strict';
import { addRestingPorts, parseRestingPorts } from '#src/controllers/derived-service/resting-ports.ts';
import { appProtocolOf, servicePortNames, type ImportPort } from '#src/controllers/derived-service/ports.ts';

const port = (name: string, number: number, protocol: ImportPort['protocol'] = 'TCP'): ImportPort => ({
  name,
  protocol,
  port: number,
});

describe('servicePortNames', () => {
  const cases: { title: string; ports: ImportPort[]; want: string[] }[] = [
    { title: 'one without a name', ports: [port('', 80)], want: [''] },
    { title: 'one without a name among several', ports: [port('', 80), port('a', 81)], want: ['tcp-80', 'a'] },
    { title: 'the made-up name is taken', ports: [port('', 80), port('tcp-80', 81)], want: ['tcp-80-0', 'tcp-80'] },
  ];
  for (const { title, ports, want } of cases) {
    it(`${title} → ${JSON.stringify(want)} (mcs-api §4.3)`, () => assert.deepEqual(servicePortNames(ports), want));
  }
});

describe('appProtocolOf', () => {
  it('a qualified name → kept; any other text of a peer → left out', () => {
    assert.deepEqual(appProtocolOf({ ...port('a', 1), appProtocol: 'kubernetes.io/h2c' }), {
      appProtocol: 'kubernetes.io/h2c',
    });
    assert.deepEqual(appProtocolOf({ ...port('a', 1), appProtocol: 'two words' }), {});
  });
});

describe('addRestingPorts', () => {
  const now = '2026-11-20T12:00:00Z';
  it('nothing given up → the text as it is, old entries too: no write for their sake', () => {
    assert.equal(addRestingPorts('20001@2020-01-01T00:00:00Z', { freed: [], now }), '20001@2020-01-01T00:00:00Z');
  });

  it('one given up → added; those that have rested for 10 minutes leave', () => {
    const text = '20001@2026-11-20T11:49:59Z,20002@2026-11-20T11:50:01Z';
    assert.equal(addRestingPorts(text, { freed: [20_003], now }), `20002@2026-11-20T11:50:01Z,20003@${now}`);
  });

  it('any text by hand → what can be read', () => {
    assert.deepEqual(parseRestingPorts('x,20001,20002@never,99@2026-11-20T11:50:01Z,20003@2026-11-20T11:50:01Z'), [
      { targetPort: 20_003, since: '2026-11-20T11:50:01Z' },
    ]);
    assert.deepEqual(parseRestingPorts(undefined), []);
  });
});
