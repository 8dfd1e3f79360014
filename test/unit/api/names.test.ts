import assert from 'node:assert/strict';
import { gatewayStatusManager } from '#src/api/names.ts';

describe('gatewayStatusManager', () => {
  it('a pod of a Deployment → its whole name, for people', () => {
    assert.equal(gatewayStatusManager('gateway-7d9-abcde'), 'clusterlink-mcs-gateway-gateway-7d9-abcde');
  });

  it('the longest name that fits → whole; one more → hashed to 128 characters, another for another pod', () => {
    const fits = 'p'.repeat(128 - 'clusterlink-mcs-gateway-'.length);
    assert.equal(gatewayStatusManager(fits), `clusterlink-mcs-gateway-${fits}`);
    const [long, other] = [gatewayStatusManager(`${fits}a`), gatewayStatusManager(`${fits}b`)];
    assert.deepEqual([long.length, other.length], [128, 128]);
    assert.notEqual(long, other);
    assert.equal(gatewayStatusManager('p'.repeat(253)).length, 128);
  });
});
