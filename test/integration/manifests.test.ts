/** What the project ships as manifests is in order, and means what it says. */
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { checkManifests } from '#src/cli/check.ts';
import { exportManifest, makeWorld, type World } from '#test/support/standalone.ts';
import { waitFor } from '#test/support/wait.ts';

const folder = (name: string): string => fileURLToPath(new URL(`../../manifests/${name}`, import.meta.url));

describe('manifests', function () {
  this.timeout(60_000);

  for (const name of ['clusterset-profile', 'examples/east', 'examples/west']) {
    it(`${name} → check finds nothing`, async () => {
      const { problems, objects } = await checkManifests(folder(name));
      assert.deepEqual(problems, []);
      assert.ok(objects > 0);
    });
  }

  describe('clusterset-profile on two peers', () => {
    let world: World;
    let web: Server;
    before(async () => {
      world = await makeWorld();
      web = createServer((_, response) => response.end('web')).listen(0, '127.0.0.1');
      await once(web, 'listening');
    });
    after(async () => {
      web.closeAllConnections();
      web.close();
      await world.close();
    });

    it('an export of one → the same name in the same namespace at both, and it serves (NSS-01, IMP-02, IMP-04)', async () => {
      const [east, west] = await Promise.all([world.peer('east'), world.peer('west')]);
      const profile = await readFile(`${folder('clusterset-profile')}/profile.yaml`, 'utf8');
      await Promise.all([east.write('profile.yaml', profile), west.write('profile.yaml', profile)]);
      await world.link(east, west);
      await east.write('web.yaml', exportManifest('web', 8080, (web.address() as AddressInfo).port));
      for (const peer of [east, west]) {
        const found = await waitFor(`${peer.name} has shop/web`, async () =>
          (await peer.status()).imports.find(({ name, ready }) => name === 'shop/web' && ready === 'True'),
        );
        assert.deepEqual(found.sources, ['east/shop/web']);
        assert.equal(await (await fetch(`http://${found.ip}:8080/`)).text(), 'web');
      }
    });
  });
});
