import assert from 'node:assert/strict';
import { makeConnectionId } from '#src/gateway/connection-id.ts';

describe('makeConnectionId', () => {
  it('many → 32 hexadecimal digits each, all of them different', () => {
    const ids = Array.from({ length: 300 }, makeConnectionId);
    for (const id of ids) assert.match(id, /^[0-9a-f]{32}$/);
    assert.equal(new Set(ids).size, ids.length);
  });
});
