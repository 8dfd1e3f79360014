/**
 * One program for the four parts of the example: `node app.mjs PART PORT`. The product page asks the three others for every
 * request, each by the name that its own peer gives it; WHO says in which peer a part runs.
 *
 * In a cluster names are looked up as every program does. On one machine the peer's own DNS is asked: DNS_SERVER=address:port.
 */
import { Resolver } from 'node:dns/promises';
import { createServer, get } from 'node:http';

const [part = '', port = '9080'] = process.argv.slice(2);
const { WHO = 'somebody', DNS_SERVER, DOMAIN = 'bookinfo.svc.clusterset.local' } = process.env;
const ANSWER_TIMEOUT_MS = 5_000;

const ANSWERS = {
  details: { title: 'The Comedy of Errors', year: 1595, pages: 200 },
  reviews: { reviews: ['An extremely entertaining play.', 'Absolutely fun, for the audience at least.'] },
  ratings: { stars: [5, 4] },
};

async function addressOf(name) {
  if (DNS_SERVER === undefined) return name;
  const resolver = new Resolver({ timeout: ANSWER_TIMEOUT_MS, tries: 1 });
  resolver.setServers([DNS_SERVER]);
  const [address] = await resolver.resolve4(name);
  return address;
}

async function ask(name) {
  const hostname = await addressOf(`${name}.${DOMAIN}`);
  return new Promise((resolve, reject) => {
    const asked = get({ hostname, port: 9080, timeout: ANSWER_TIMEOUT_MS, agent: false }, async (response) => {
      try {
        resolve(JSON.parse((await response.toArray()).join('')));
      } catch (error) {
        reject(error);
      }
    });
    asked.on('timeout', () => asked.destroy(new Error(`${name} has not answered in ${ANSWER_TIMEOUT_MS} ms`)));
    asked.on('error', reject);
  });
}

async function showPage() {
  const [details, reviews, ratings] = await Promise.all(['details', 'reviews', 'ratings'].map(ask));
  return [
    `${details.title} (${details.year}, ${details.pages} pages), says ${details.from}`,
    ...reviews.reviews.map((text) => `"${text}", says ${reviews.from}`),
    `${ratings.stars.join(' and ')} stars, says ${ratings.from}`,
    '',
  ].join('\n');
}

async function answer() {
  if (part === 'productpage') return showPage();
  return JSON.stringify({ ...ANSWERS[part], from: WHO });
}

if (part !== 'productpage' && !Object.hasOwn(ANSWERS, part)) {
  console.error(`usage: node app.mjs productpage|${Object.keys(ANSWERS).join('|')} [PORT]`);
  process.exit(2);
}
createServer((_request, response) => {
  answer().then(
    (text) => response.end(text),
    (error) => response.writeHead(502).end(`${error.message}\n`),
  );
}).listen(Number(port));
process.on('SIGTERM', () => process.exit(0));
