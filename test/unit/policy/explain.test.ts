import assert from 'node:assert/strict';
import { clientAttributes, exportAttributes, workloadAttributes } from '#src/policy/attributes.ts';
import { explainDecision } from '#src/policy/explain.ts';

const to = exportAttributes({ peer: 'east', peerLabels: {}, namespace: 'shop', name: 'db', labels: {} });
const west = { peer: 'west', peerLabels: {} };

describe('explainDecision', () => {
  it('no policy matched → no policy allows it', () => {
    const from = clientAttributes({ ...west, namespace: 'web', serviceAccount: 'front', labels: {} });
    assert.equal(
      explainDecision({ allowed: false }, { from, to, namespace: 'shop' }),
      'A workload of peer west (namespace web, service account front) may not reach shop/db of peer east: no policy allows it.',
    );
  });

  it('a policy denied → it is named, and what is unknown is said', () => {
    const policy = { kind: 'AccessPolicy', namespace: 'shop', name: 'strict' } as const;
    assert.equal(
      explainDecision({ allowed: false, policy }, { from: workloadAttributes(west), to, namespace: 'shop' }),
      'A workload of peer west (namespace unknown, service account unknown) may not reach shop/db of peer east: ' +
        'AccessPolicy shop/strict denies it.',
    );
  });

  it('a policy of the cluster allowed → it is named without a namespace', () => {
    const policy = { kind: 'BaselineAccessPolicy', namespace: '', name: 'fabric' } as const;
    assert.match(
      explainDecision({ allowed: true, policy }, { from: workloadAttributes(west), to, namespace: 'shop' }),
      /may reach shop\/db of peer east: BaselineAccessPolicy fabric allows it\.$/,
    );
  });

  it('a peer asserts a namespace with control characters → it is not repeated', () => {
    const from = clientAttributes({
      ...west,
      namespace: 'web\n\u001b[31mERROR',
      serviceAccount: 'x'.repeat(300),
      labels: {},
    });
    assert.equal(
      explainDecision({ allowed: false }, { from, to, namespace: 'shop' }),
      'A workload of peer west (namespace ?, service account ?) may not reach shop/db of peer east: no policy allows it.',
    );
  });
});
