import assert from 'node:assert/strict';
import { importedMetadata } from '#src/merge/metadata.ts';
import { said } from './fixtures.ts';

const { record } = said('east/shop/db', {
  labels: { team: 'a', 'example.com/x': 'b', 'mcs.clusterlink.net/y': 'c', 'bad key': 'd', long: 'v'.repeat(64) },
  annotations: { note: 'free text, of any length', 'multicluster.kubernetes.io/derived-service': 'x' },
});

describe('importedMetadata', () => {
  it('EXP-07: no prefix allowed → nothing is copied', () => {
    assert.deepEqual(importedMetadata(record, []), { labels: {}, annotations: {} });
  });
  it('a prefix → the keys below it', () => {
    assert.deepEqual(importedMetadata(record, ['example.com/']).labels, { 'example.com/x': 'b' });
  });
  it('IMP-28: the empty prefix → all but reserved keys and what the API server refuses', () => {
    assert.deepEqual(importedMetadata(record, ['']), {
      labels: { team: 'a', 'example.com/x': 'b' },
      annotations: { note: 'free text, of any length' },
    });
  });
  it('IMP-28: a reserved prefix is allowed by the rule → reserved all the same', () => {
    assert.deepEqual(importedMetadata(record, ['mcs.clusterlink.net/', 'multicluster.kubernetes.io/']), {
      labels: {},
      annotations: {},
    });
  });
});
