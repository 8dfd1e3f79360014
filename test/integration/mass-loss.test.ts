/** Two peers as processes: one loses what it exports, or takes it back at once, and the other keeps it until somebody confirms. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import type { IPeer } from '#src/api/generated/Peer.ts';
import type { IPeerRecords } from '#src/api/generated/PeerRecords.ts';
import { SYSTEM_NAMESPACE } from '#src/api/names.ts';
import {
  exportManifest,
  makeWorld,
  policyManifest,
  ruleManifest,
  type StandalonePeer,
  type World,
} from '#test/support/standalone.ts';
import { waitFor } from '#test/support/wait.ts';

const NAMES = ['db', 'queue', 'web'];
const MAIN = resolve(import.meta.dirname, '../../src/main.ts');

describe('a peer takes back what it exports', function () {
  this.timeout(30_000);
  let world: World;
  let east: StandalonePeer;
  let west: StandalonePeer;

  before(async () => {
    world = await makeWorld();
    [east, west] = await Promise.all([world.peer('east'), world.peer('west')]);
    await world.link(east, west);
    for (const name of NAMES) await east.write(`${name}.yaml`, exportManifest(name, 80, 8_080));
    await west.write('rule.yaml', `${ruleManifest()}---\n${stringify(policyManifest('store'))}`);
    await waitFor('all are imported', async () => (await addresses()).length === NAMES.length);
  });
  after(() => world.close());

  /** Each import with its address. */
  async function addresses(): Promise<string[]> {
    const { imports } = await west.status();
    return imports.map(({ name, ip }) => `${name} ${ip}`).sort();
  }
  async function held(): Promise<string | undefined> {
    const peer = await west.get<IPeer>('Peer', `${SYSTEM_NAMESPACE}/east`);
    const found = peer.status?.conditions?.find(({ type }) => type === 'RecordsHeld');
    return found?.status === 'True' ? found.message : undefined;
  }
  async function run({ state }: StandalonePeer, ...words: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(process.execPath, [MAIN, ...words, '--state', state]);
    return stdout;
  }

  it('it loses its state, and comes back with one export less → that stays here until it is back too', async () => {
    const before = await addresses();
    await east.stop('SIGKILL');
    await rm(east.state, { recursive: true });
    await rm(join(east.manifests, 'web.yaml'));
    east = await world.peer('east');
    // Its port is another one.
    await world.link(east, west);
    assert.match(await waitFor('west holds the record', held), /^1 records /);
    assert.deepEqual(await addresses(), before);
    await east.write('web.yaml', exportManifest('web', 80, 8_080));
    await waitFor('nothing is held', async () => (await held()) === undefined);
    assert.deepEqual(await addresses(), before);
  });

  it('all exports are removed there → names and addresses stay here, which the Peer and status say; a restart changes nothing; accept-loss → gone', async () => {
    const before = await addresses();
    for (const name of NAMES) await rm(join(east.manifests, `${name}.yaml`));
    const message = await waitFor('west holds the records', held);
    assert.match(message, /^3 records .* accept-loss east/);
    assert.deepEqual(await addresses(), before);
    assert.match(await run(west, 'status', '--fabric'), /east: RecordsHeld: 3 records/);

    assert.equal(await west.stop(), 0);
    west = await world.peer('west');
    await waitFor('east is back', async () => (await west.status()).peers.some(({ reachable }) => reachable));
    assert.deepEqual(await addresses(), before);
    assert.equal(await held(), message);

    assert.equal(await run(west, 'accept-loss', 'east'), '3 records of east are let go.\n');
    await waitFor('they are gone', async () => (await addresses()).length === 0);
    await waitFor('nothing is held', async () => (await held()) === undefined);
    const { spec } = await west.get<IPeerRecords>('PeerRecords', `${SYSTEM_NAMESPACE}/east`);
    assert.deepEqual(spec.records, []);
  });
});
