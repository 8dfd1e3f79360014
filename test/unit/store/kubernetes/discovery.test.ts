import assert from 'node:assert/strict';
import { makeDiscovery } from '#src/store/kubernetes/discovery.ts';
import { DISCOVERY_LIFE_MS } from '#src/store/kubernetes/limits.ts';
import { makeManualClock, makeScriptedServer, statusOf, unreachable } from './scripted-server.ts';

const NONE = { status: 404 };
const HAS = { status: 200, body: { resources: [{ name: 'serviceexports' }, { name: 'serviceexports/status' }] } };
const LACKS = { status: 200, body: { resources: [{ name: 'serviceimports' }] } };

function make() {
  const server = makeScriptedServer();
  const clock = makeManualClock();
  return { server, clock, discovery: makeDiscovery({ transport: server, clock }) };
}

describe('makeDiscovery', () => {
  it('a kind of one version → no question', async () => {
    const { server, discovery } = make();
    assert.deepEqual([await discovery.versionOf('Peer'), await discovery.versionOf('Service')], ['v1alpha1', 'v1']);
    assert.deepEqual([discovery.known('Peer'), server.requests], ['v1alpha1', []]);
  });

  const rows = [
    ['both', [HAS], 'v1beta1'],
    ['the old one', [NONE, HAS], 'v1alpha1'],
    ['the new version of another kind alone', [LACKS, HAS], 'v1alpha1'],
    ['none', [NONE, NONE], undefined],
    ['no answer about what is served (403)', [statusOf(403, 'Forbidden')], 'v1beta1'],
  ] as const;
  for (const [what, answers, expected] of rows) {
    it(`served: ${what} → ${expected}`, async () => {
      const { server, discovery } = make();
      server.answer(...answers);
      assert.equal(await discovery.versionOf('ServiceExport'), expected);
      assert.equal(discovery.known('ServiceExport'), expected);
    });
  }

  it('ten at once, and again soon → asked once; when it is old, or in doubt → asked again', async () => {
    const { server, clock, discovery } = make();
    server.answer(NONE, HAS, HAS);
    const versions = await Promise.all(Array.from({ length: 10 }, () => discovery.versionOf('ServiceExport')));
    assert.deepEqual([...new Set(versions)], ['v1alpha1']);
    await clock.advance(DISCOVERY_LIFE_MS - 1);
    assert.equal(await discovery.versionOf('ServiceExport'), 'v1alpha1');
    assert.equal(server.requests.length, 2);
    await clock.advance(1);
    assert.equal(await discovery.versionOf('ServiceExport'), 'v1beta1');
    discovery.doubt('ServiceExport');
    server.answer(NONE, NONE);
    assert.equal(await discovery.versionOf('ServiceExport'), undefined);
  });

  it('a server that cannot be asked → what was known; if nothing was, the error', async () => {
    const { server, clock, discovery } = make();
    server.answer(unreachable());
    await assert.rejects(discovery.versionOf('ServiceExport'), { code: 'ERR_STORE_UNAVAILABLE' });
    server.answer(NONE, HAS);
    await discovery.versionOf('ServiceExport');
    server.answer(unreachable());
    await clock.advance(DISCOVERY_LIFE_MS);
    assert.equal(await discovery.versionOf('ServiceExport'), 'v1alpha1');
  });
});
