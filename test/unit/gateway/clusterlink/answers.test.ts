import assert from 'node:assert/strict';
import { answerGranted, answerHealthz, answerRefused, CONNECTED } from '#src/gateway/clusterlink/answers.ts';

describe('answers in ClusterLink’s form', () => {
  const cases: [string, Buffer, string][] = [
    [
      'labels',
      answerHealthz({ a: 'b' }, 'keep'),
      'HTTP/1.1 200 OK\r\nClusterLinkPeerLabels: eyJhIjoiYiJ9\r\nContent-Length: 0\r\n\r\n',
    ],
    [
      'no labels: the field is there all the same',
      answerHealthz({}, 'close'),
      'HTTP/1.1 200 OK\r\nClusterLinkPeerLabels: e30=\r\nContent-Length: 0\r\nConnection: close\r\n\r\n',
    ],
    ['a token', answerGranted('t', 'keep'), 'HTTP/1.1 200 OK\r\nx-access-token: t\r\nContent-Length: 0\r\n\r\n'],
    ['a refusal', answerRefused(403, 'keep'), 'HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n'],
    ['a tunnel: no length, no field at all', CONNECTED, 'HTTP/1.1 200 OK\r\n\r\n'],
  ];
  for (const [name, bytes, text] of cases) it(`${name} → these bytes`, () => assert.equal(bytes.toString(), text));
});
