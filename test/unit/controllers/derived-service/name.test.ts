import assert from 'node:assert/strict';
import { derivedServiceName } from '#src/controllers/derived-service/name.ts';

describe('derivedServiceName', () => {
  for (const { key, want } of [
    { key: { namespace: 'my-ns', name: 'my-svc' }, want: 'derived-a2v4k9sqn6' },
    { key: { namespace: 'default', name: 'hello' }, want: 'derived-k5cuvo1ge4' },
    { key: { namespace: 'test', name: 'hello' }, want: 'derived-nvgtmm3sgh' },
  ]) {
    it(`${key.namespace}/${key.name} → ${want}, as the reference implementation has it (IMP-29)`, () => {
      assert.equal(derivedServiceName(key), want);
    });
  }
});
