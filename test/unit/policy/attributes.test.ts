import assert from 'node:assert/strict';
import { clientAttributes, exportAttributes, workloadAttributes } from '#src/policy/attributes.ts';

const PEER = { peer: 'east', peerLabels: { region: 'us' } };
const KNOWN_PEER = { 'peer.clusterlink.net/name': 'east', 'peer.clusterlink.net/labels.region': 'us' };
const UNKNOWN_CLIENT = [
  'client.clusterlink.net/namespace',
  'client.clusterlink.net/service-account',
  'client.clusterlink.net/labels.',
];

describe('clientAttributes', () => {
  it('all is given → all is known', () => {
    const client = { ...PEER, namespace: 'web', serviceAccount: 'front', labels: { app: 'ui' } };
    assert.deepEqual(clientAttributes(client), {
      known: {
        ...KNOWN_PEER,
        'client.clusterlink.net/namespace': 'web',
        'client.clusterlink.net/service-account': 'front',
        'client.clusterlink.net/labels.app': 'ui',
      },
      unknown: [],
    });
  });
  it('only the namespace is given → the rest is unknown, not absent', () => {
    const { known, unknown } = clientAttributes({ ...PEER, namespace: 'web' });
    assert.deepEqual(known, { ...KNOWN_PEER, 'client.clusterlink.net/namespace': 'web' });
    assert.deepEqual(unknown, UNKNOWN_CLIENT.slice(1));
  });
  it('a label that a client calls like an attribute of the peer → it stays below the labels', () => {
    const { known } = clientAttributes({ ...PEER, labels: { '../peer.clusterlink.net/name': 'west' } });
    assert.equal(known['peer.clusterlink.net/name'], 'east');
  });
});

describe('workloadAttributes', () => {
  it('any workload of a peer → the peer is known, the workload is not', () => {
    assert.deepEqual(workloadAttributes(PEER), { known: KNOWN_PEER, unknown: UNKNOWN_CLIENT });
  });
});

describe('exportAttributes', () => {
  it('an export → everything is known', () => {
    assert.deepEqual(exportAttributes({ ...PEER, namespace: 'prod', name: 'cart', labels: { tier: 'gold' } }), {
      known: {
        ...KNOWN_PEER,
        'export.clusterlink.net/namespace': 'prod',
        'export.clusterlink.net/name': 'cart',
        'export.clusterlink.net/labels.tier': 'gold',
      },
      unknown: [],
    });
  });
});
