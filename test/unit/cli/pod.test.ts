import assert from 'node:assert/strict';
import { readOwnPod } from '#src/cli/run/cluster/pod.ts';

describe('readOwnPod', () => {
  it('a dual-stack pod → both addresses, the first of the cluster first, each once', () => {
    const env = { POD_NAME: 'gateway-1', POD_IP: '10.1.0.5', POD_IPS: '10.1.0.5,fd00::5' };
    assert.deepEqual(readOwnPod(env), { name: 'gateway-1', ips: ['10.1.0.5', 'fd00::5'] });
  });

  it('without the list → the one address', () => {
    assert.deepEqual(readOwnPod({ POD_NAME: 'dns-1', POD_IP: 'fd00::5' }), { name: 'dns-1', ips: ['fd00::5'] });
  });

  for (const [env, variable] of [
    [{ POD_IP: '10.1.0.5' }, 'POD_NAME'],
    [{ POD_NAME: 'a b', POD_IP: '10.1.0.5' }, 'POD_NAME'],
    [{ POD_NAME: 'a' }, 'POD_IP'],
    [{ POD_NAME: 'a', POD_IP: 'none' }, 'POD_IP'],
  ] as const) {
    it(`${JSON.stringify(env)} → ERR_CONFIG that names ${variable} and the remedy`, () => {
      assert.throws(() => readOwnPod(env), {
        code: 'ERR_CONFIG',
        message: new RegExp(`^${variable}:`),
        fix: /downward API/,
      });
    });
  }
});
