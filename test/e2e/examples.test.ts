/** The manifests of examples/ for clusters. There are two clusters here: east is every peer that the importing one uses. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { eventually } from './api.ts';
import { IMAGE, installed, TOOLS_IMAGE, type Peer } from './fixture.ts';
import { ROOT } from './install.ts';
import { client, inPod, whenPodsReady } from './workloads.ts';

/** Its container is started again until the import is there, each time later. */
const JOB_TIMEOUT_MS = 110_000;

/** What `kubectl kustomize` makes of the folder, with these texts for those: names of peers, and images that are here. */
async function render(peer: Peer, folder: string, texts: Readonly<Record<string, string>>): Promise<object[]> {
  const rendered = await peer.kubectl(['kustomize', join(ROOT, 'examples', folder)]);
  const replace = (_: string, value: unknown): unknown => (typeof value === 'string' ? (texts[value] ?? value) : value);
  return parseAllDocuments(rendered).map((document) => JSON.parse(JSON.stringify(document.toJS()), replace) as object);
}

describe('examples/', () => {
  let east: Peer;
  let west: Peer;
  before(() => ({ east, west } = installed()));

  after(async () => {
    await west.remove('clusterimportrule', { namespace: '', name: 'iperf3' });
    const away = (peer: Peer, names: readonly string[]): Promise<unknown> =>
      Promise.all(names.map((name) => peer.remove('namespace', { namespace: '', name })));
    await Promise.all([away(east, ['catalog', 'press', 'tools']), away(west, ['bookinfo', 'measure'])]);
  });

  it('bookinfo → the product page has asked three services of others', async () => {
    const texts = { books: east.name, critics: east.name, shop: west.name, 'clusterlink-mcs:0.1.0': IMAGE };
    for (const [peer, name] of [
      [east, 'books'],
      [east, 'critics'],
      [west, 'shop'],
    ] as const) {
      await peer.apply(...(await render(peer, `bookinfo/kubernetes/${name}`, texts)));
    }
    await Promise.all([
      whenPodsReady(east, 'catalog', 1),
      whenPodsReady(east, 'press', 2),
      whenPodsReady(west, 'bookinfo', 1),
    ]);
    const from = { namespace: 'bookinfo', name: 'reader' };
    await west.apply(...client(from));
    await whenPodsReady(west, 'bookinfo', 2);
    const page = await eventually('the product page', async () => {
      const { stdout } = await inPod(west, from, ['curl', '-sS', '-m', '6', 'http://productpage:9080/']);
      return stdout.includes('stars') ? stdout : undefined;
    });
    assert.deepEqual(
      page.match(/says \S+/g),
      [1, 2, 3, 4].map(() => `says ${east.name}`),
    );
  });

  it('iperf3 → the job has measured', async function () {
    this.timeout(JOB_TIMEOUT_MS + 70_000);
    const texts = { server: east.name, client: west.name, 'networkstatic/iperf3:latest': TOOLS_IMAGE };
    await east.apply(...(await render(east, 'iperf3/kubernetes/server', texts)));
    await whenPodsReady(east, 'tools', 1);
    await west.apply(...(await render(west, 'iperf3/kubernetes/client', texts)));
    const wait = ['-n', 'measure', 'wait', '--for=condition=Complete', `--timeout=${JOB_TIMEOUT_MS / 1000}s`];
    await west.kubectl([...wait, 'job/iperf3']);
    assert.match(await west.kubectl(['-n', 'measure', 'logs', 'job/iperf3']), /[1-9]\S* [MG]bits\/sec +receiver/);
  });
});
