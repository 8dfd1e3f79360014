/** The steps of the demo with ClusterLink's manifests: each shows something with the real thing, and fails if it is not so. */
import { EXIT } from '../../output.ts';
import { describeHop, explainAt, startPeers, statusOf } from '../ask.ts';
import { holdConnection, watchConnection, whoServes } from '../clients.ts';
import { runCommand } from '../commands.ts';
import { PROMISE_MS, SETTLE_MS, type Step } from '../profile.ts';
import { startWeb } from '../services.ts';
import { until } from '../until.ts';
import { apply, showConditions, type ClusterlinkContext } from './apply.ts';
import { admission, serviceCartApi } from './manifests.ts';
import type { ClusterlinkPeer } from './peers.ts';
import { exportCartApi, importCart, uiToCart } from './sample.ts';
import { WIRE_STEPS } from './wire-steps.ts';

const CART = 'cart.shop.svc.clusterset.local';
/** A request after which the service waits for the next one. */
const REQUEST = 'GET / HTTP/1.1\r\nHost: cart\r\n\r\n';

export const STEPS: readonly Step<ClusterlinkPeer>[] = [
  {
    name: 'start',
    words:
      'East and west start as processes of their own. East applies ClusterLink\'s Peer "west", which has two gateways.',
    async run(context) {
      await startPeers(context, ['east', 'west']);
      context.say(
        'East has a session with west. It dialled 192.0.2.10:443, as the manifest says: an HTTP proxy of the demo,',
      );
      context.say(
        'which east is configured to use, leads from there to a port of this machine. Nobody is at gw2.west.example.',
      );
    },
  },
  {
    name: 'export',
    words: 'West applies the Export prod/cart-api beside the Service of that name.',
    async run(context) {
      const web = await startWeb('west');
      context.closers.push(() => web.close());
      await apply(context, 'west', { 'cart-api.yaml': exportCartApi, 'service.yaml': serviceCartApi(web.port) });
      await showConditions(context, { at: 'west', kind: 'Export', key: 'prod/cart-api', wanted: ['ExportValid'] });
    },
  },
  {
    name: 'import',
    words: 'East applies the Import shop/cart, and the AccessPolicy that lets service account "front" use it.',
    async run(context) {
      await apply(context, 'east', { 'cart.yaml': importCart, 'ui-to-cart.yaml': uiToCart });
      const wanted = ['ImportTargetPortValid', 'ImportServiceValid'];
      await showConditions(context, { at: 'east', kind: 'Import', key: 'shop/cart', wanted });
      const { east, west } = context.layout.peers;
      const checks = await Promise.all([east, west].map(({ manifests }) => runCommand(['check', manifests])));
      context.say(`check of both folders finds no error${checks.join('') === '' ? '.' : `, but\n${checks.join('')}`}`);
    },
  },
  {
    name: 'refused',
    words: 'West has not said yes: an Export and an Import give no access by themselves. explain says what is missing.',
    async run(context) {
      const place = await until('the name has an address', SETTLE_MS, () => context.names.locate(CART));
      const seen = await watchConnection(place, SETTLE_MS);
      if (seen !== 'reset') throw new Error(`the client saw ${seen}, not a reset`);
      await showRefusal(context);
    },
  },
  {
    name: 'traffic',
    words: 'West says yes by an AccessPolicy of its own: port 80 at east is answered from port 8080 at west.',
    async run(context) {
      await apply(context, 'west', { 'policy.yaml': admission('allow') });
      const place = await until('west answers', SETTLE_MS, async () => {
        const found = await context.names.locate(CART);
        return (await whoServes(found)) === 'west' ? found : undefined;
      });
      context.say(`${CART} is ${place.host}, port ${place.port}: a request is answered by west.`);
      await showConditions(context, {
        at: 'east',
        kind: 'Import',
        key: 'shop/cart',
        wanted: ['SourcesResolved', 'Ready'],
      });
    },
  },
  {
    name: 'policy',
    words: 'The same policies, asked about another client: service account "back" may not.',
    async run({ layout, say }) {
      const question = ['--client', 'web/back', '--import', 'shop/cart', '--source', 'west/prod/cart-api'];
      const { state } = layout.peers.east;
      say(await runCommand(['test', 'policy', 'egress', ...question, '--state', state], EXIT.failed));
    },
  },
  ...WIRE_STEPS,
  {
    name: 'cut',
    words: "West's policy turns to deny: a connection that is open is reset, and explain says who does not allow it.",
    async run(context) {
      const place = await context.names.locate(CART);
      const held = await holdConnection(place, REQUEST);
      held.mark();
      await apply(context, 'west', { 'policy.yaml': admission('deny') });
      const timer = setTimeout(() => held.destroy(), SETTLE_MS);
      const { how, ms } = await held.cut;
      clearTimeout(timer);
      if (how !== 'reset' || ms > PROMISE_MS) throw new Error(`it ended by ${how} after ${ms} ms`);
      context.say(`Reset ${ms} ms after the manifest was changed.`);
      await showRefusal(context);
      const record = (await statusOf(context, 'west')).failures.find(({ reason }) => reason === 'POLICY_CHANGED');
      if (record === undefined) throw new Error('west has no record of the cut');
      context.say(`West's own record, which names the policy: ${record.reason} ${record.message}`);
    },
  },
];

/** What east knows of the refusal: that it is west's, and what to ask west for. West's policies are nobody else's business. */
async function showRefusal(context: ClusterlinkContext): Promise<void> {
  const refusal = await until('explain names the refusal', SETTLE_MS, async () => {
    const { hops } = await explainAt(context, 'east', `${CART}:80`);
    const failed = hops.find(({ ok }) => !ok);
    return failed?.code === 'INGRESS_DENIED' && failed.fix !== undefined ? failed : undefined;
  });
  context.say(describeHop(refusal));
}
