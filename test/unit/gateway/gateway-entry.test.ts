import assert from 'node:assert/strict';
import { gatewayEntry } from '#src/gateway/gateway-entry.ts';
import type { ImportObservation } from '#src/gateway/messages.ts';

type State = ImportObservation['listeners'][number]['state'];

function observe(...states: [address: string, listenPort: number, state: State][]): ImportObservation {
  return {
    key: { namespace: 'store', name: 'db' },
    listeners: states.map(([address, listenPort, state]) => ({
      ...{ port: 5432, address, listenPort, state },
      ...(state === 'Failed' ? { message: `${address}:${listenPort} is taken` } : {}),
    })),
    sources: [{ peer: 'east', namespace: 'shop', name: 'db', usable: false, reason: 'PEER_UNREACHABLE' }],
  };
}

describe('gatewayEntry', () => {
  const cases: { name: string; observation: ImportObservation; listening: number[]; failed?: number[] }[] = [
    { name: 'no listener', observation: observe(), listening: [] },
    { name: 'two ports', observation: observe(['a', 2, 'Listening'], ['a', 1, 'Listening']), listening: [1, 2] },
    { name: 'one is closed', observation: observe(['a', 1, 'Closed'], ['a', 2, 'Listening']), listening: [2] },
    { name: 'one failed', observation: observe(['a', 1, 'Failed']), listening: [], failed: [1] },
    {
      name: 'open at one of two addresses',
      observation: observe(['a', 1, 'Listening'], ['b', 1, 'Failed'], ['a', 2, 'Listening'], ['b', 2, 'Listening']),
      listening: [2],
      failed: [1],
    },
  ];
  for (const { name, observation, listening, failed } of cases) {
    it(`${name} → listening ${listening.join() || 'nowhere'}`, () => {
      const entry = gatewayEntry('gateway-0', observation);
      assert.equal(entry.name, 'gateway-0');
      assert.deepEqual(entry.listening, listening);
      assert.deepEqual(
        entry.failed?.map(({ targetPort }) => targetPort),
        failed,
      );
      assert.deepEqual(entry.sources, observation.sources);
    });
  }
});
