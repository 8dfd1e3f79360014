/** The steps in ClusterLink's form of the wire: the same export, asked for as ClusterLink's own programs ask. */
import type { Duplex } from 'node:stream';
import { statusOf } from '../ask.ts';
import { SETTLE_MS, type Step } from '../profile.ts';
import type { ClusterlinkContext } from './apply.ts';
import { askAuthz, askHealth, openTunnel, type Call } from './caller.ts';
import type { ClusterlinkPeer } from './peers.ts';

const CART_API = { namespace: 'prod', name: 'cart-api' };
const REQUEST = 'GET / HTTP/1.1\r\nHost: cart\r\nConnection: close\r\n\r\n';

export const WIRE_STEPS: readonly Step<ClusterlinkPeer>[] = [
  {
    name: 'wire',
    words:
      "A ClusterLink peer in the place of east: its three requests, with east's certificate, at the same port of west.",
    async run({ layout: { peers }, say }) {
      const call = { as: peers.east, to: peers.west };
      say(`GET /healthz: 200, west's labels are ${JSON.stringify(await askHealth(call))}`);
      const token = await tokenFor(call);
      say('POST /authz for prod/cart-api: 200 and a token');
      const tunnel = await openTunnel({ ...call, token });
      if (typeof tunnel === 'number') throw new Error(`CONNECT was answered ${tunnel}`);
      const answer = await exchange(tunnel, REQUEST);
      if (!answer.includes('hello from west')) throw new Error(`the tunnel carried ${JSON.stringify(answer)}`);
      say('CONNECT with that token: 200, and a request inside it is answered by west');
    },
  },
  {
    name: 'testing',
    words:
      'Peer "testing" has a good certificate, and PrivilegedAccessPolicy "no-testing" is against it: what it tries is refused.',
    async run(context) {
      const { east, testing, west } = context.layout.peers;
      const call = { as: testing, to: west };
      const asked = await askAuthz({ ...call, export: CART_API, attributes: nameOf('testing') });
      await expectRefusal(context, {
        what: 'It asks in its own name',
        reason: 'INGRESS_DENIED',
        answers: [404, asked.status],
      });
      const claimed = await askAuthz({ ...call, export: CART_API, attributes: nameOf('east') });
      await expectRefusal(context, {
        what: 'It says that it is east',
        reason: 'PEER_NAME_MISMATCH',
        answers: [403, claimed.status],
      });
      const token = await tokenFor({ as: east, to: west });
      const tunnel = await openTunnel({ ...call, token });
      if (typeof tunnel !== 'number') throw new Error('it got a tunnel with the token of east');
      await expectRefusal(context, {
        what: 'It shows a token of east',
        reason: 'PEER_NAME_MISMATCH',
        answers: [403, tunnel],
      });
    },
  },
];

/** The certificate tells the name; ClusterLink's peers say it all the same, and theirs believe it. */
function nameOf(peer: string): Record<string, string> {
  return { 'peer.clusterlink.net/name': peer, 'client.clusterlink.net/service-account': 'front' };
}

async function tokenFor(call: Call): Promise<string> {
  const { status, token } = await askAuthz({ ...call, export: CART_API, attributes: nameOf(call.as.name) });
  if (status !== 200 || token === undefined) throw new Error(`POST /authz was answered ${status}`);
  return token;
}

interface Refusal {
  readonly what: string;
  readonly reason: string;
  /** The status that is right, and the one that came. */
  readonly answers: readonly [number, number];
}

async function expectRefusal(context: ClusterlinkContext, { what, reason, answers }: Refusal): Promise<void> {
  const [wanted, status] = answers;
  if (status !== wanted) throw new Error(`${what}: answered ${status}, not ${wanted}`);
  const [newest] = (await statusOf(context, 'west')).failures;
  if (newest?.peer !== 'testing' || newest.reason !== reason)
    throw new Error(`${what}: west recorded ${JSON.stringify(newest)}`);
  context.say(`${what}: ${status}. West's record: ${newest.reason} ${newest.message}`);
}

/** Says something, and gathers what comes until the end. */
async function exchange(tunnel: Duplex, text: string): Promise<string> {
  const timer = setTimeout(() => tunnel.destroy(new Error('the tunnel has not ended in time')), SETTLE_MS);
  tunnel.write(text);
  let answer = '';
  tunnel.setEncoding('utf8');
  for await (const chunk of tunnel) answer += String(chunk);
  clearTimeout(timer);
  return answer;
}
