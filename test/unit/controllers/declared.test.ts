import assert from 'node:assert/strict';
import type { IPeer } from '#src/api/generated/Peer.ts';
import { declarationProblem, declaredRecords } from '#src/controllers/import/declared.ts';
import { said } from '../merge/fixtures.ts';

const NOW = '2026-11-20T12:00:00Z';

function peer(name: string, text?: string, creationTimestamp?: string): IPeer {
  const annotations = text === undefined ? {} : { 'mcs.clusterlink.net/exports': text };
  return {
    apiVersion: 'clusterlink.net/v1alpha1',
    kind: 'Peer',
    metadata: { name, annotations, ...(creationTimestamp === undefined ? {} : { creationTimestamp }) },
    spec: { gateways: [] },
  };
}

const recordsOf = (peers: IPeer[], told = [said('west/shop/db')]) =>
  declaredRecords({ peers, self: 'self', told, now: NOW });

describe('declaredRecords', () => {
  it('an annotation → one TCP port without a name, as old as the Peer', () => {
    assert.deepEqual(recordsOf([peer('cl', 'shop/db:5432', '2026-01-01T00:00:00Z')]), [
      {
        peer: 'cl',
        record: {
          namespace: 'shop',
          name: 'db',
          uid: 'declared',
          type: 'ClusterSetIP',
          ports: [{ name: '', protocol: 'TCP', port: 5432 }],
          createdAt: '2026-01-01T00:00:00Z',
          readyEndpoints: 1,
        },
      },
    ]);
  });

  it('what the peer tells itself → not declared again; of another peer → declared', () => {
    const records = recordsOf([peer('west', 'shop/db:1, shop/web:2'), peer('cl', 'shop/db:3')]);
    assert.deepEqual(
      records.map(({ peer: name, record }) => `${name} ${record.name} ${record.createdAt}`),
      [`west web ${NOW}`, `cl db ${NOW}`],
    );
  });

  const nothing: [title: string, object: IPeer][] = [
    ['no annotation', peer('cl')],
    ['an empty one', peer('cl', '')],
    ['half of it wrong', peer('cl', 'shop/db:1, shop/web')],
    ['self, whose exports are known', peer('self', 'shop/db:1')],
  ];
  for (const [title, object] of nothing) {
    it(`${title} → nothing`, () => assert.deepEqual(recordsOf([object]), []));
  }
});

describe('declarationProblem', () => {
  it('no annotation, a right one → nothing to tell', () => {
    assert.equal(declarationProblem(peer('cl')), undefined);
    assert.equal(declarationProblem(peer('cl', 'shop/db:1')), undefined);
  });

  it('a wrong one → field, cause and remedy', () => {
    assert.match(
      declarationProblem(peer('cl', 'shop/db:1, shop/web')) ?? '',
      /^metadata.annotations\["mcs.clusterlink.net\/exports"\]: .*has "shop\/web"\. Nothing is declared\. Fix: /,
    );
  });
});
