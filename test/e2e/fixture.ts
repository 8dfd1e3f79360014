/**
 * One installation for the whole suite: mocha brings it up before the first test and takes it down after the last.
 *
 * - by default two test clusters are started and ended;
 * - `E2E_CLUSTERS=e1,e2`: test clusters that are up already (`node test/e2e/keep.ts`), which stay;
 * - `E2E_KUBECONFIG`, `E2E_CONTEXTS=a,b`: any two others. Tests that need their nodes are skips that say so.
 */
import assert from 'node:assert/strict';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findCluster, type TestCluster } from '#test/clusters/pair.ts';
import { openApi, type Api } from './api.ts';
import { install, installInto, ROOT, type Installation, type Pair } from './install.ts';
import { toForeignMember, toMember, type Member } from './members.ts';

/** Of `keep.ts`, and of those who use its clusters. */
export const KEPT_FOLDER = join(ROOT, 'build/e2e');

const { E2E_CLUSTERS, E2E_KUBECONFIG, E2E_CONTEXTS } = process.env;
/** Where the product's image and the one with curl, dig and dash come from. The test clusters have both. */
export const IMAGE = process.env['E2E_IMAGE'] ?? 'clusterlink-mcs:0.1.0';
export const TOOLS_IMAGE = process.env['E2E_TOOLS_IMAGE'] ?? 'test.local/tools:1';

/** One of the two clusters, and its API server. */
export type Peer = Member & Api;

interface Suite extends Installation {
  readonly east: Peer;
  readonly west: Peer;
  /** When the suite began, ms since 1970. */
  readonly startedAt: number;
}

let suite: Suite | undefined;

export async function mochaGlobalSetup(): Promise<void> {
  const startedAt = Date.now();
  const startedMs = performance.now();
  const installation = await open();
  const [east, west] = await Promise.all(toPair(installation.clusters.map(toPeer)));
  suite = { ...installation, east, west, startedAt };
  process.stdout.write(`two clusters with the product: ${Math.round((performance.now() - startedMs) / 1000)} s\n`);
}

export async function mochaGlobalTeardown(): Promise<void> {
  await Promise.all([suite?.east.close(), suite?.west.close()]);
  await suite?.close();
  suite = undefined;
}

async function toPeer(member: Member): Promise<Peer> {
  return { ...member, ...(await openApi(member)) };
}

async function open(): Promise<Installation> {
  if (E2E_CLUSTERS !== undefined) {
    const clusters = toPair(
      await Promise.all(E2E_CLUSTERS.split(',').map(findCluster)).then((all) => all.map(toMember)),
    );
    return openIn(clusters, KEPT_FOLDER);
  }
  if (E2E_KUBECONFIG === undefined) return install({ names: ['e1', 'e2'], profile: 'base' });
  const contexts = (E2E_CONTEXTS ?? '').split(',');
  const names = ['east', 'west'];
  const members = contexts.map((context, index) =>
    toForeignMember(names[index] ?? context, { kubeconfig: E2E_KUBECONFIG, context }),
  );
  return openIn(toPair(await Promise.all(members)), await mkdtemp(join(tmpdir(), 'clusterlink-mcs-e2e-')));
}

async function openIn(clusters: Pair, folder: string): Promise<Installation> {
  await installInto(clusters, { folder, profile: 'base', image: IMAGE });
  const kubeconfig = clusters[0].kubeconfig;
  return { kubeconfig, clusters, folder, close: () => Promise.resolve() };
}

function toPair<T>(list: readonly T[]): readonly [T, T] {
  const [first, second] = list;
  if (first === undefined || second === undefined || list.length > 2) {
    throw new Error('two clusters are needed. Fix: E2E_CONTEXTS=FIRST,SECOND or E2E_CLUSTERS=FIRST,SECOND');
  }
  return [first, second];
}

/** What there is to test with. East exports, west imports, unless a test says otherwise. */
export function installed(): Suite {
  assert.ok(suite !== undefined, 'the suite is run by mocha --config .mocharc.e2e.json');
  return suite;
}

/** The nodes of both, or the test is a skip that says what it lacks. */
export function needNodes(test: Mocha.Context): { readonly east: TestCluster; readonly west: TestCluster } {
  const { east, west } = installed();
  if (east.node === undefined || west.node === undefined) {
    process.stdout.write('      needs processes of the nodes: not known with E2E_KUBECONFIG\n');
    test.skip();
  }
  return { east: east.node, west: west.node };
}
