/** The manifests of examples/bookinfo for clusters. There are two clusters here: east is every peer that the importing one uses. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { eventually } from './api.ts';
import { IMAGE, installed, type Peer } from './fixture.ts';
import { ROOT } from './install.ts';
import { client, inPod, whenPodsReady } from './workloads.ts';

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
    const away = (peer: Peer, names: readonly string[]): Promise<unknown> =>
      Promise.all(names.map((name) => peer.remove('namespace', { namespace: '', name })));
    await Promise.all([away(east, ['catalog', 'press']), away(west, ['bookinfo'])]);
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
});
