/** ClusterLink's Import between two of our own peers: its manifest unchanged, another port at the source, the order of its sources. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { stringify } from 'yaml';
import { findCondition } from '#src/api/conditions.ts';
import type { IImport } from '#src/api/generated/Import.ts';
import type { IImportBinding } from '#src/api/generated/ImportBinding.ts';
import {
  exportManifest,
  makeWorld,
  policyManifest,
  type StandalonePeer,
  type World,
} from '#test/support/standalone.ts';
import { waitFor } from '#test/support/wait.ts';

/** As ClusterLink's users write them (appendix A of the facts about it). */
const IMPORT = `
apiVersion: clusterlink.net/v1alpha1
kind: Import
metadata: {name: cart, namespace: shop, labels: {import.clusterlink.net/merge: "false"}}
spec:
  port: 80
  lbScheme: static            # optional; targetPort optional
  sources:
  - {peer: west, exportName: cart-api, exportNamespace: prod}
`;
const POLICY = `
apiVersion: clusterlink.net/v1alpha1
kind: AccessPolicy
metadata: {name: ui-to-cart, namespace: shop}
spec:
  action: allow
  from: [{workloadSelector: {matchLabels: {client.clusterlink.net/service-account: front}}}]
  to: [{workloadSelector: {matchExpressions: [{key: export.clusterlink.net/name, operator: In, values: [cart-api]}]}}]
`;

describe('Import of ClusterLink, standalone', function () {
  this.timeout(60_000);
  let world: World;
  let west: StandalonePeer;
  let ui: StandalonePeer;
  const servers: Server[] = [];
  const sockets = new Set<Socket>();

  before(async () => {
    world = await makeWorld();
    [west, ui] = await Promise.all([
      world.peer('west'),
      world.peer('ui', { client: { namespace: 'shop', serviceAccount: 'front' } }),
    ]);
    await world.link(west, ui);
  });
  after(async () => {
    await world.close();
    sockets.forEach((socket) => socket.destroy());
    servers.forEach((server) => server.close());
  });

  /** A service that says its name and ends. */
  async function startNamed(name: string): Promise<number> {
    const server = createServer((socket) => {
      sockets.add(socket.on('error', () => undefined).on('close', () => sockets.delete(socket)));
      socket.end(name);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    servers.push(server);
    return (server.address() as AddressInfo).port;
  }

  /** `prod/NAME`: a Service port 8080. */
  async function exportNamed(name: string): Promise<void> {
    const text = exportManifest(name, 8080, await startNamed(name)).replaceAll('namespace: shop', 'namespace: prod');
    await west.write(`${name}.yaml`, text);
  }

  async function conditionsOf(name: string): Promise<Record<string, string>> {
    const object = await ui.get<IImport | undefined>('Import', `shop/${name}`);
    const pairs = (object?.status?.conditions ?? []).map(({ type, status, reason }) => [type, `${status} ${reason}`]);
    return Object.fromEntries(pairs) as Record<string, string>;
  }

  async function ask(name: string): Promise<string> {
    const binding = await ui.get<IImportBinding>('ImportBinding', `clusterlink-system/${name}.shop`);
    const [listener] = binding.status?.listeners ?? [];
    assert.ok(listener?.listenPort !== undefined && listener.address !== undefined);
    const socket = connect({ host: listener.address, port: listener.listenPort });
    sockets.add(socket.on('close', () => sockets.delete(socket)));
    let text = '';
    for await (const chunk of socket.setEncoding('utf8')) text += String(chunk);
    return text;
  }

  it('the sample manifest → its conditions, and traffic from port 80 to port 8080', async () => {
    await exportNamed('cart-api');
    await ui.write('import.yaml', `${IMPORT}---${POLICY}`);
    await waitFor('the Import is ready', async () => (await conditionsOf('cart'))['Ready'] === 'True Ready');
    assert.deepEqual(await conditionsOf('cart'), {
      Valid: 'True Valid',
      ImportTargetPortValid: 'True Leased',
      SourcesResolved: 'True Resolved',
      ImportServiceValid: 'True Valid',
      ImportServiceCreated: 'True Valid',
      Ready: 'True Ready',
    });
    assert.equal(await ask('cart'), 'cart-api');
    const { imports } = await ui.status();
    assert.deepEqual(
      imports.map(({ name, sources }) => [name, sources]),
      [['shop/cart', ['west/prod/cart-api']]],
    );
    assert.equal((await ui.get<unknown[]>('ServiceImport')).length, 0);
  });

  it('two sources → round-robin takes turns, static takes the first, in the order that is written', async () => {
    await exportNamed('cart-b');
    await ui.write('policy.yaml', stringify(policyManifest('shop')));
    const sources = ['cart-b', 'cart-api'].map((exportName) => ({
      ...{ peer: 'west', exportName, exportNamespace: 'prod' },
    }));
    const objects = ['round-robin', 'static'].map((lbScheme) =>
      stringify({
        apiVersion: 'clusterlink.net/v1alpha1',
        kind: 'Import',
        metadata: { name: lbScheme, namespace: 'shop' },
        spec: { port: 8000, lbScheme, sources },
      }),
    );
    await ui.write('two.yaml', objects.join('---\n'));
    for (const name of ['round-robin', 'static']) {
      await waitFor(`${name} has both sources`, async () => {
        const binding = await ui.get<IImportBinding>('ImportBinding', `clusterlink-system/${name}.shop`);
        return binding.status?.sources?.filter(({ usable }) => usable).length === 2;
      });
    }
    await waitFor('the policy is in force', async () => (await ui.explain('static.shop.svc.clusterset.local:8000')).ok);
    const answers = async (name: string): Promise<string[]> => {
      const all: string[] = [];
      for (let round = 0; round < 4; round++) all.push(await ask(name));
      return all;
    };
    assert.deepEqual(await answers('static'), ['cart-b', 'cart-b', 'cart-b', 'cart-b']);
    const [first = '', second = '', ...others] = await answers('round-robin');
    assert.deepEqual([first, second].sort(), ['cart-api', 'cart-b']);
    assert.deepEqual(others, [first, second]);
  });

  it('a target port that another Import has → both conditions False; explain and status say why', async () => {
    const objects = ['first', 'second'].map((name) =>
      stringify({
        apiVersion: 'clusterlink.net/v1alpha1',
        kind: 'Import',
        metadata: { name, namespace: 'shop' },
        spec: { port: 81, targetPort: 3000, sources: [] },
      }),
    );
    await ui.write('conflict.yaml', objects.join('---\n'));
    await waitFor('one of them is told', async () => {
      const all = await Promise.all(['first', 'second'].map(conditionsOf));
      return all.some((conditions) => conditions['ImportTargetPortValid'] === 'False Error');
    });
    const said = await Promise.all(['first', 'second'].map(async (name) => [name, await conditionsOf(name)] as const));
    const [loser = ''] = said.find(([, conditions]) => conditions['ImportTargetPortValid'] === 'False Error') ?? [];
    const { hops, ok } = await ui.explain(`${loser}.shop.svc.clusterset.local:81`);
    assert.equal(ok, false);
    assert.match(hops.at(-1)?.message ?? '', /spec.targetPort: Import shop\/\w+ has 3000/);
    const { imports } = await ui.status();
    const row = imports.find(({ name }) => name === `shop/${loser}`);
    assert.match(row?.message ?? '', /has 3000/);
    const object = await ui.get<IImport>('Import', `shop/${loser}`);
    assert.equal(findCondition(object.status?.conditions, 'ImportServiceValid')?.status, 'False');
  });
});
