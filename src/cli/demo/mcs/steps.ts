/** The steps of the demo: each says in plain words what is shown, shows it with the real thing, and fails if it is not so. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { Condition } from '../../../api/object.ts';
import { describeHop, explainAt, getObject, peerOf, startPeers, statusOf } from '../ask.ts';
import { download, hashOfBlocks, holdConnection, upload, watchConnection, whoServes } from '../clients.ts';
import { runCommand, runRemedy } from '../commands.ts';
import { startPeer } from '../peer-process.ts';
import { PROMISE_MS, SETTLE_MS, type Step } from '../profile.ts';
import { startDatabase, startWeb } from '../services.ts';
import { until } from '../until.ts';
import { forgeConnect } from './forge.ts';
import { admission, exportedService, importRule } from './manifests.ts';
import type { McsPeer } from './peers.ts';

const WEB = 'web.store.svc.clusterset.local';
const DB = 'db.store.svc.clusterset.local';
const BULK_BLOCKS = 256;

export const STEPS: readonly Step<McsPeer>[] = [
  {
    name: 'start',
    words: 'Three peers start as processes of their own: east and west listen, south only dials out.',
    async run(context) {
      await startPeers(context, ['east', 'west', 'south']);
      context.say(
        'Each has a session with both others. South has no address that anybody could dial: its sessions are its own.',
      );
    },
  },
  {
    name: 'export',
    words: 'East exports shop/db and shop/web by plain ServiceExports, and admits west by a policy.',
    async run(context) {
      const database = await startDatabase(join(context.layout.root, 'database'));
      context.database = database;
      const web = await startWeb('east');
      context.closers.push(
        () => database.close(),
        () => web.close(),
      );
      const { manifests } = context.layout.peers.east;
      await writeFile(join(manifests, 'db.yaml'), exportedService('db', 5432, database.port));
      await writeFile(join(manifests, 'web.yaml'), exportedService('web', 80, web.port));
      await writeFile(join(manifests, 'policy.yaml'), admission('allow'));
      context.say(`shop/db is ${database.name}, shop/web is ${web.name}.`);
      await until('both exports are valid', SETTLE_MS, async () => {
        const { exports } = await statusOf(context, 'east');
        return exports.length === 2 && exports.every(({ valid }) => valid === 'True');
      });
    },
  },
  {
    name: 'import',
    words: 'West says by a ClusterImportRule that these become names in its namespace store.',
    async run(context) {
      await writeFile(join(context.layout.peers.west.manifests, 'rule.yaml'), importRule);
      const imported = await until('the ServiceImport store/web is ready', SETTLE_MS, async () => {
        const object = await getObject<{ status?: { conditions?: Condition[] } }, McsPeer>(context, {
          at: 'west',
          kind: 'ServiceImport',
          key: 'store/web',
        });
        return object.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True')
          ? object
          : undefined;
      });
      context.say(stringify(imported).trimEnd());
      await until('the ServiceImport store/db is ready too', SETTLE_MS, async () =>
        (await statusOf(context, 'west')).imports.every(({ ready }) => ready === 'True'),
      );
    },
  },
  {
    name: 'dns',
    words: `West's DNS knows ${WEB}; web.shop does not exist there: equal names are not the same namespace.`,
    async run({ names, say }) {
      const addresses = await until('the name has an address', SETTLE_MS, () => names.resolve4(WEB));
      const services = await names.resolveSrv(WEB);
      say(`${WEB}: A ${addresses.join(', ')}; SRV ${services.map(({ name, port }) => `${name}:${port}`).join(', ')}`);
      const code = await names.resolve4('web.shop.svc.clusterset.local').then(
        () => 'an address',
        (error: NodeJS.ErrnoException) => error.code,
      );
      if (code !== 'ENOTFOUND') throw new Error(`web.shop.svc.clusterset.local gave ${String(code)}, not NXDOMAIN`);
      say('web.shop.svc.clusterset.local: NXDOMAIN');
    },
  },
  {
    name: 'denied',
    words:
      'East has said yes, west not yet: a connection is reset before any byte, and explain names the decision and its remedy.',
    async run(context) {
      const place = await context.names.locate(WEB);
      const seen = await watchConnection(place, SETTLE_MS);
      if (seen !== 'reset') throw new Error(`the client saw ${seen}, not a reset`);
      const { failures } = await statusOf(context, 'west');
      if (failures[0]?.reason !== 'EGRESS_DENIED')
        throw new Error(`the closing record says ${failures[0]?.reason ?? 'nothing'}`);
      const { hops } = await explainAt(context, 'west', `${WEB}:80`);
      const failed = hops.find(({ ok }) => !ok);
      if (failed?.code !== 'EGRESS_DENIED' || failed.fix === undefined)
        throw new Error(`explain says ${JSON.stringify(failed)}`);
      context.say(describeHop(failed));
      await runRemedy(failed.fix);
      // East's database is in the same namespace, by the same two yeses.
      await runRemedy(failed.fix.replaceAll('shop/web', 'shop/db'));
      await until('the connection passes', SETTLE_MS, async () => (await whoServes(place)) === 'east');
      context.say('That command was run; the same request is answered by east now.');
    },
  },
  {
    name: 'least-disclosure',
    words:
      'South is known to east, and no policy could admit it: it is told of nothing, and what it forges is refused.',
    async run(context) {
      const { south, east } = context.layout.peers;
      const { peers } = await statusOf(context, 'south');
      const records = peers.find(({ name }) => name === 'east')?.records;
      if (records !== 0) throw new Error(`south knows ${String(records)} exports of east`);
      const reason = await forgeConnect({
        as: south,
        target: east,
        export: { namespace: 'shop', name: 'web' },
        port: 80,
      });
      if (reason !== 'INGRESS_DENIED') throw new Error(`the forged CONNECT gave ${reason ?? 'a connection'}`);
      const { failures } = await statusOf(context, 'east');
      const seen = failures.find(({ peer }) => peer === 'south');
      if (seen?.reason !== 'INGRESS_DENIED') throw new Error(`east recorded ${JSON.stringify(seen)}`);
      context.say(`Its CONNECT for shop/web was answered "denied". East's own record: ${seen.reason} ${seen.message}`);
    },
  },
  {
    name: 'bytes',
    words: 'An HTTP request, the database, and 256 MiB each way: the same bytes arrive.',
    async run(context) {
      const place = await context.names.locate(WEB);
      const wanted = hashOfBlocks(BULK_BLOCKS);
      const down = await download(place, BULK_BLOCKS);
      const up = await upload(place, BULK_BLOCKS);
      if (down.sha256 !== wanted || up.sha256 !== wanted) throw new Error('the SHA-256 differ');
      const rate = (seconds: number): string => `${((BULK_BLOCKS * 8 * 1.048576) / 1000 / seconds).toFixed(2)} Gbit/s`;
      context.say(
        `SHA-256 ${wanted.slice(0, 16)}... equal at both ends; ${rate(down.seconds)} down, ${rate(up.seconds)} up.`,
      );
      const database = await context.names.locate(DB);
      context.say(
        `${context.database?.name ?? ''}: ${(await context.database?.check(database.host, database.port)) ?? ''}`,
      );
    },
  },
  {
    name: 'second-source',
    words: "South exports shop/web too and admits west; the rule's peers name both, so it joins the import.",
    async run(context) {
      const web = await startWeb('south');
      context.closers.push(() => web.close());
      const { manifests } = context.layout.peers.south;
      await writeFile(join(manifests, 'web.yaml'), exportedService('web', 80, web.port));
      await writeFile(join(manifests, 'policy.yaml'), admission('allow'));
      await runCommand([
        'allow',
        '--store',
        `dir:${context.layout.peers.west.manifests}`,
        '--namespace',
        'store',
        '--export',
        'shop/web',
        '--to-peer',
        'south',
      ]);
      const place = await context.names.locate(WEB);
      const seen = new Set<string>();
      await until('both peers answer', SETTLE_MS, async () => seen.add(await whoServes(place)).size === 2);
      context.say('Connections go to east and south in turn, south over a session that south itself has opened.');
    },
  },
  {
    name: 'failover',
    words: 'East dies by SIGKILL: new connections go on through south, and the import names who is away.',
    async run(context) {
      const place = await context.names.locate(WEB);
      await peerOf(context, 'east').kill();
      const killedMs = performance.now();
      await until('two requests in a row are answered by south', PROMISE_MS, async () => {
        const answers = [await whoServes(place), await whoServes(place)];
        return answers.every((peer) => peer === 'south');
      });
      context.say(`Answered by south ${Math.round(performance.now() - killedMs)} ms after the kill.`);
      const away = await until('the import names east as away', SETTLE_MS, async () => {
        const found = (await statusOf(context, 'west')).imports.find(({ name }) => name === 'store/web');
        return found?.ready === 'True' && found.message.includes('east/shop/web is away') ? found.message : undefined;
      });
      context.say(`store/web stays, Ready=True: ${away}`);
      const refused = await until('store/db, which only east had, refuses to connect', SETTLE_MS, async () => {
        const database = await context.names.locate(DB);
        return (await watchConnection(database, 500)) === 'reset' ? database.host : undefined;
      });
      context.say(`store/db had east alone: its listener at ${refused} is closed until east is back.`);
      context.peers.set('east', await startPeer(context.layout.peers.east));
      await until('east is used again', SETTLE_MS, async () => (await whoServes(place)) === 'east');
      context.say('East came back and is used again.');
    },
  },
  {
    name: 'revocation',
    words: 'A policy of east turns to deny: a connection that is open is reset.',
    async run(context) {
      const place = await until('store/db can be reached again', SETTLE_MS, async () => {
        const found = await context.names.locate(DB);
        await context.database?.check(found.host, found.port);
        return found;
      });
      const held = await holdConnection(place);
      const policy = join(context.layout.peers.east.manifests, 'policy.yaml');
      if ((await readFile(policy, 'utf8')) !== admission('allow')) throw new Error('the policy is not what it was');
      held.mark();
      await writeFile(policy, admission('deny'));
      const timer = setTimeout(() => held.destroy(), SETTLE_MS);
      const { how, ms } = await held.cut;
      clearTimeout(timer);
      if (how !== 'reset' || ms > PROMISE_MS) throw new Error(`it ended by ${how} after ${ms} ms`);
      context.say(`Reset ${ms} ms after the manifest was changed.`);
    },
  },
];
