/** ClusterLink's Export manifests as they are, on a standalone peer, used by another one of ours. */
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { stringify } from 'yaml';
import { findCondition } from '#src/api/conditions.ts';
import type { IExport } from '#src/api/generated/Export.ts';
import type { IServiceExport } from '#src/api/generated/ServiceExport.ts';
import { makeWorld, policyManifest, ruleManifest, type StandalonePeer, type World } from '#test/support/standalone.ts';
import { waitFor } from '#test/support/wait.ts';

/** clusterlink.md, appendix A. */
const CART_API = `
apiVersion: clusterlink.net/v1alpha1
kind: Export
metadata: {name: cart-api, namespace: prod, labels: {tier: gold}}
spec: {port: 8080}
`;

describe("ClusterLink's Exports on a standalone peer", function () {
  this.timeout(60_000);
  let world: World;
  let east: StandalonePeer;
  let west: StandalonePeer;
  let web: Server;
  let webPort: number;

  const service = (name: string, ports: readonly { name?: string; port: number }[]): string =>
    stringify({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: {
        ...{ name, namespace: 'prod' },
        annotations: {
          'mcs.clusterlink.net/endpoints': ports
            .map((port) => `${port.name === undefined ? '' : `${port.name}=`}127.0.0.1:${webPort}`)
            .join(';'),
        },
      },
      spec: { ports },
    });
  const exported = (name: string, spec: object): string =>
    stringify({ apiVersion: 'clusterlink.net/v1alpha1', kind: 'Export', metadata: { name, namespace: 'prod' }, spec });

  before(async () => {
    world = await makeWorld();
    [east, west] = await Promise.all([world.peer('east'), world.peer('west')]);
    await world.link(east, west);
    web = createServer((_, response) => response.end('hello from east\n')).listen(0, '127.0.0.1');
    await new Promise((resolve) => web.once('listening', resolve));
    webPort = (web.address() as AddressInfo).port;
    await east.write(
      'shop.yaml',
      [
        CART_API,
        service('cart-api', [{ port: 8080 }]),
        exported('by-host', { host: '127.0.0.1', port: webPort }),
        exported('elsewhere', { host: '169.254.169.254', port: 80 }),
        stringify(policyManifest('prod')),
      ].join('---\n'),
    );
    const rule = ruleManifest({ exports: { namespaces: ['prod'] }, into: { namespace: 'shop' } });
    await west.write('rule.yaml', `${rule}---\n${stringify(policyManifest('shop'))}`);
  });
  after(async () => {
    web.closeAllConnections();
    web.close();
    await world.close();
  });

  const importOf = async (name: string) => (await west.status()).imports.find((one) => one.name === `shop/${name}`);

  for (const [name, port] of [
    ['cart-api', () => 8080],
    ['by-host', () => webPort],
  ] as const) {
    it(`${name} → ExportValid=True Verified, imported by a rule, and it carries traffic`, async () => {
      const condition = await waitFor('it is judged', async () =>
        findCondition((await east.get<IExport>('Export', `prod/${name}`)).status?.conditions, 'ExportValid'),
      );
      assert.deepEqual([condition.status, condition.reason], ['True', 'Verified']);
      await waitFor(`${name} is ready at west`, async () => (await importOf(name))?.ready === 'True');
      const { ip = '', ports = '' } = (await importOf(name)) ?? {};
      assert.match(ports, new RegExp(`^${port()}`));
      // `8080/TCP`, or `8080/TCP at 12345` where the address cannot have that port.
      const listenPort = /(\d+)\D*$/.exec(ports.replace('/TCP', ''))?.[1] ?? '';
      const answer = await fetch(`http://${ip}:${listenPort}/`, { signal: AbortSignal.timeout(5_000) });
      assert.equal(await answer.text(), 'hello from east\n');
    });
  }

  it('CFL-8.6 a host that nobody has permitted → TargetForbidden in the status, with the remedy', async () => {
    const condition = await waitFor('it is judged', async () =>
      findCondition((await east.get<IExport>('Export', 'prod/elsewhere')).status?.conditions, 'ExportValid'),
    );
    assert.deepEqual([condition.status, condition.reason], ['False', 'TargetForbidden']);
    assert.match(condition.message, /169\.254\.169\.254:80 .*Fix: .*exports\.targets/);
  });

  it("a ServiceExport's first port → noted in the state; its manifest and its Service change → still there", async () => {
    const ports = [
      { name: 'web', port: 80 },
      { name: 'pg', port: 5432 },
    ];
    const manifest = stringify({
      ...{ apiVersion: 'multicluster.x-k8s.io/v1beta1', kind: 'ServiceExport' },
      metadata: { name: 'both', namespace: 'prod' },
    });
    const noted = async (): Promise<string | undefined> =>
      (await east.get<IServiceExport>('ServiceExport', 'prod/both')).metadata?.annotations?.[
        'mcs.clusterlink.net/first-port'
      ];
    await east.write('both.yaml', `${manifest}---\n${service('both', ports)}`);
    await waitFor('it is noted', async () => (await noted().catch(() => undefined)) === '80');
    await east.write(
      'both.yaml',
      `${manifest.replace('metadata:', 'metadata:\n  labels: { changed: "yes" }')}---\n${service('both', ports.toReversed())}`,
    );
    await waitFor('the change is seen', async () => {
      const { metadata, status } = await east.get<IServiceExport>('ServiceExport', 'prod/both');
      return metadata?.labels?.['changed'] === 'yes' && findCondition(status?.conditions, 'Valid')?.status === 'True';
    });
    assert.equal(await noted(), '80');
  });
});
