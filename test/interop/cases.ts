/** The matrix of the reference on ClusterLink, §10, as one table: what has to hold between any exporter and any importer. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Address, Attributes } from '#test/support/clusterlink/types.ts';
import { waitFor } from '#test/support/wait.ts';
import { ASKER, attributesOf, OTHER, takeToken, whenExpired } from './hand.ts';
import type { ExportName, Scene } from './scene.ts';
import { GREETING, LARGE_BYTES, LATE_ANSWER, largeDigest, sendLarge } from './services.ts';
import { connectTo, echoOnce, type Client } from './sockets.ts';

export interface Case {
  readonly name: string;
  readonly deadlineMs: number;
  /** It mostly waits: it is begun before the others, and runs beside them. */
  readonly waits?: true;
  /** Absent: everywhere. */
  readonly applies?: (scene: Pick<Scene, 'driver'>) => boolean;
  readonly run: (scene: Scene) => Promise<void>;
}

const PARALLEL = 1_000;
/** An Envoy importer gives each authorization 200 ms (§3.4): more at once is a measurement of this machine. */
const OPENING_AT_ONCE = 8;
const TALK_EVERY_MS = 1_000;
const GREETED = 20;
const LARGE_WAIT_MS = 25_000;
const THROUGH_DEAD_GATEWAY = 10;
/** A replaced certificate is in force in four seconds (IDENTITY_LOOK_MS twice); a control plane's watch takes longer. */
const SWAP_WAIT_MS = 20_000;

export const CASES: readonly Case[] = [
  { name: 'expired token', deadlineMs: 20_000, waits: true, run: refuseExpiredToken },
  {
    name: 'idle',
    deadlineMs: 400_000,
    waits: true,
    applies: ({ driver }) => driver.silenceMs !== undefined,
    run: idle,
  },
  { name: 'heartbeat', deadlineMs: 10_000, run: heartbeat },
  { name: 'small', deadlineMs: 10_000, run: small },
  { name: 'large', deadlineMs: 60_000, run: large },
  { name: 'server first', deadlineMs: 15_000, run: serverFirst },
  { name: 'client half-close', deadlineMs: 15_000, run: halfClose },
  { name: '1,000 in parallel', deadlineMs: 60_000, run: parallel },
  { name: 'denied by the exporter', deadlineMs: 15_000, run: (scene) => refused(scene, 'denied') },
  { name: 'denied by the importer', deadlineMs: 15_000, run: (scene) => refused(scene, 'unwanted') },
  { name: 'spoofed attribute', deadlineMs: 10_000, run: spoofed },
  { name: 'foreign token', deadlineMs: 15_000, run: foreignToken },
  { name: 'export deleted between authz and CONNECT', deadlineMs: 30_000, run: exportDeleted },
  { name: 'one of two gateways dead', deadlineMs: 40_000, run: deadGateway },
  { name: 'certificate swapped while running', deadlineMs: 45_000, run: certificateSwapped },
];

/** §3.2: labels where there are some, an empty answer where there are none; the importer takes either. */
async function heartbeat({ asker, exporter, importer }: Scene): Promise<void> {
  assert.deepEqual(await asker.heartbeat(), exporter.labels ?? {});
  assert.ok(await importer.reachable(exporter.name));
}

async function small({ importOf }: Scene): Promise<void> {
  const echo = await importOf('echo');
  for (let round = 0; round < 10; round++) await echoOnce(echo, `round ${round} ${randomBytes(100).toString('hex')}`);
}

/** Both directions, each judged by its SHA-256. */
async function large({ importOf }: Scene): Promise<void> {
  const address = await importOf('large');
  const digest = largeDigest();
  using down = connectTo(address);
  down.socket.write('DOWN\n');
  const bytes = await down.take(LARGE_BYTES, LARGE_WAIT_MS);
  assert.equal(createHash('sha256').update(bytes).digest('hex'), digest);
  using up = connectTo(address);
  up.socket.write('UP\n');
  await sendLarge(up.socket);
  assert.equal((await up.take(digest.length, LARGE_WAIT_MS)).toString(), digest);
}

/** §3.6, 3: what stands in one record with the 200 is lost at Go importers; none of ours may. */
async function serverFirst({ importOf }: Scene): Promise<void> {
  const greet = await importOf('greet');
  for (let round = 0; round < GREETED; round++) {
    using client = connectTo(greet);
    const greeting = await client.take(GREETING.length);
    assert.ok(greeting.equals(GREETING), `greeting ${round}: other bytes`);
    client.socket.write('thanks');
    const all = await client.take(GREETING.length + 6);
    assert.equal(all.subarray(GREETING.length).toString(), 'thanks');
  }
}

/** §3.6: an end of one direction ends both at ClusterLink; what was sent before it arrives in full. */
async function halfClose({ importOf, importer, services }: Scene): Promise<void> {
  const before = services.asked().length;
  const question = `question ${randomBytes(20).toString('hex')}`;
  using client = connectTo(await importOf('late'));
  client.socket.end(question);
  await waitFor('the service has the question', () => services.asked().length > before);
  assert.equal(services.asked().at(-1), question);
  const { received, reset } = await client.ended;
  if (importer.manners.lateAnswer === 'lost') return;
  assert.deepEqual(
    { bytes: received.length, same: received.equals(LATE_ANSWER), reset },
    { bytes: LATE_ANSWER.length, same: true, reset: false },
  );
}

/** All of them open at once, and all of them used again and again, so that none is idle while others are opened. */
async function parallel({ importOf }: Scene): Promise<void> {
  const echo = await importOf('echo');
  const talkers: Talker[] = [];
  let opened = 0;
  const open = async (): Promise<void> => {
    while (opened < PARALLEL) {
      const talker = makeTalker(echo, opened++);
      await talker.speak();
      talkers.push(talker);
    }
  };
  const openers = Array.from({ length: OPENING_AT_ONCE }, open);
  try {
    while (talkers.length < PARALLEL) {
      await Promise.race([sleep(TALK_EVERY_MS), Promise.all(openers)]);
      await Promise.all(talkers.map(({ speak }) => speak()));
    }
  } finally {
    opened = PARALLEL;
    await Promise.allSettled(openers);
    for (const { client } of talkers) client[Symbol.dispose]();
  }
}

interface Talker {
  readonly client: Client;
  /** Says something that nobody else says, and waits for its echo. */
  speak(): Promise<void>;
}

function makeTalker(address: Address, index: number): Talker {
  const client = connectTo(address);
  let said = '';
  return {
    client,
    async speak() {
      const text = `${index}-${said.length} `;
      said += text;
      client.socket.write(text);
      assert.equal((await client.take(said.length)).toString(), said);
    },
  };
}

/** The client gets no byte, and is told. */
async function refused({ importOf }: Pick<Scene, 'importOf'>, name: ExportName): Promise<void> {
  using client = connectTo(await importOf(name));
  client.socket.write('let me in');
  const { received } = await client.ended;
  assert.equal(received.length, 0);
}

/** §8.1, 1: whoever may not, says that it is somebody else. */
async function spoofed({ asker, exporter }: Scene): Promise<void> {
  const isRefused = async (claimed: Attributes): Promise<boolean> => {
    const { status } = await asker.authorize('private', { attributes: claimed });
    // Ours says of an export that nobody may be told of what it says of one that is not there.
    assert.ok([200, 403, 404].includes(status), `${status}`);
    return status !== 200;
  };
  assert.ok(await isRefused(attributesOf(ASKER)), 'under its own name');
  assert.equal(await isRefused(attributesOf(OTHER)), exporter.manners.claimedName === 'refused');
}

/** §3.5: no leeway. */
async function refuseExpiredToken({ asker }: Scene): Promise<void> {
  const token = await takeToken(asker, 'echo');
  assert.equal(await asker.connect(token), 200, 'a fresh one');
  await whenExpired();
  assert.equal(await asker.connect(token), 403);
}

/** §8.1, 2: another peer's; and texts that nobody has given. */
async function foreignToken({ asker, other, exporter }: Scene): Promise<void> {
  const token = await takeToken(asker, 'echo');
  assert.equal(await other.connect(token), exporter.manners.tokenOfAnother === 'taken' ? 200 : 403);
  const halved = token.slice(0, token.length / 2);
  const other64 = token.endsWith('A') ? `${token.slice(0, -2)}BB` : `${token.slice(0, -2)}AA`;
  for (const wrong of [halved, other64, 'x'.repeat(4_000)]) assert.equal(await asker.connect(wrong), 403);
}

/** The yes of /authz is not enough: at CONNECT the export has to be there still. */
async function exportDeleted({ asker, withdraw, importOf, exporter }: Scene): Promise<void> {
  await echoOnce(await importOf('gone'), 'still there');
  let token = await takeToken(asker, 'gone');
  await withdraw('gone');
  try {
    // Tokens live for five seconds: a newer one as long as there are any, so that the last is good but for the export.
    await waitFor('the export is gone', async () => {
      const answer = await asker.authorize('gone');
      if (answer.status === 200) token = answer.token;
      return answer.status !== 200;
    });
    const status = await asker.connect(token);
    const isRefused = status === 403 || status === 404 || status === 500 || status === 503;
    assert.ok(isRefused, `${exporter.kind}: ${status}`);
    await refused({ importOf }, 'gone');
  } finally {
    await withdraw();
  }
}

async function deadGateway({ importer, exporter, setGateways, startDeadGateway, importOf }: Scene): Promise<void> {
  const { address: dead, tries } = await startDeadGateway();
  const { deadGateway: manner } = importer.manners;
  await setGateways(manner === 'live-first' ? [exporter.gateway, dead] : [dead, exporter.gateway]);
  try {
    await waitFor('the dead gateway was tried', () => tries() > 0, SWAP_WAIT_MS);
    await waitFor('the peer is reachable', () => importer.reachable(exporter.name));
    const echo = await importOf('echo');
    let passed = 0;
    for (let round = 0; round < THROUGH_DEAD_GATEWAY; round++) {
      const isThrough = await echoOnce(echo, `round ${round}`).then(
        () => true,
        () => false,
      );
      if (isThrough) passed++;
    }
    // Each worker of an Envoy goes round for itself: how many meet the dead one is chance, that all do is not.
    const least = manner === 'every-other-fails' ? 1 : THROUGH_DEAD_GATEWAY;
    assert.ok(passed >= least, `${passed} of ${THROUGH_DEAD_GATEWAY} connections came through`);
  } finally {
    await setGateways([exporter.gateway]);
  }
}

/** New connections take the new one, and those that are open live on; at the exporter, then at the importer. */
async function certificateSwapped({ asker, exporter, importer, importOf }: Scene): Promise<void> {
  const echo = await importOf('echo');
  using old = connectTo(echo);
  old.socket.write('before');
  await old.take(6);
  const shown = await asker.certificate();
  await exporter.swapCertificate();
  await waitFor('the exporter shows the new one', async () => (await asker.certificate()) !== shown, SWAP_WAIT_MS);
  await echoOnce(echo, 'after the exporter');
  await importer.swapCertificate();
  await echoOnce(echo, 'after the importer');
  old.socket.write('after');
  assert.equal((await old.take(11)).toString(), 'beforeafter');
}

/** Envoy ends what is silent for five minutes (§3.6); Go and we do not, and nobody loses what was said before. */
async function idle({ driver, exporter, importer, importOf }: Scene): Promise<void> {
  const silenceMs = driver.silenceMs ?? 0;
  using client = connectTo(await importOf('echo'));
  client.socket.write('first');
  await client.take(5);
  const endsBefore = [exporter, importer].some(({ manners: { idleMs } }) => idleMs > 0 && idleMs < silenceMs);
  await Promise.race([sleep(silenceMs), client.ended]);
  if (endsBefore) {
    const { received } = await client.ended;
    assert.equal(received.toString(), 'first');
    return;
  }
  client.socket.write('again');
  assert.equal((await client.take(10)).toString(), 'firstagain');
}
