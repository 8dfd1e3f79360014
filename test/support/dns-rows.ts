/** Asks a row of the fixture and holds the whole answer against it: as dig shows it, and as dns-packet decodes it. */
import assert from 'node:assert/strict';
import { type Answer, type SrvData } from 'dns-packet';
import { askByTcp, askByUdp, runDig } from './dns-clients.ts';
import { ZONE, type FixtureRow, type Outcome } from './dns-fixture.ts';
import { ID, makeQuery, readReply } from './dns-wire.ts';

export type Transport = 'udp' | 'tcp';
export const TRANSPORTS: readonly Transport[] = ['udp', 'tcp'];

/** In which servers may differ, whatever they answer. */
export interface Manner {
  /** Of positive answers, by type. */
  readonly ttlSecondsMax: (type: FixtureRow['type']) => number;
  /** Of the SOA in negative ones. */
  readonly minimumSeconds: number;
  /** Names in answers are written as the question has them (DNS-18); false: maybe as an earlier question had them. */
  readonly keepsCase: boolean;
}

/** The responder's. */
export const OURS: Manner = {
  ttlSecondsMax: (type) => (type === 'TXT' ? 28_800 : 4),
  minimumSeconds: 4,
  keepsCase: true,
};

export interface RowOptions {
  readonly port: number;
  readonly transport: Transport;
  readonly manner: Manner;
  /** Default: what the row wants. */
  readonly wanted?: Outcome;
}

export async function checkByDig(
  dig: string,
  row: FixtureRow,
  { port, transport, manner, wanted = row }: RowOptions,
): Promise<void> {
  const found = await runDig(dig, port, [row.name, row.type, transport === 'tcp' ? '+tcp' : '+notcp']);
  assert.deepEqual({ status: found.status, answers: found.answers }, { status: wanted.rcode, answers: wanted.answers });
  for (const owner of found.owners) checkOwner(row, owner, manner);
  assert.equal(found.flags.includes('aa'), isOurs(wanted), 'DNS-27');
  assert.deepEqual(found.authority, isNegative(wanted) ? ['SOA'] : [], 'DNS-28');
}

const RCODES: Record<Outcome['rcode'], number> = { NOERROR: 0, NXDOMAIN: 3, REFUSED: 5 };

export async function checkByPacket(
  row: FixtureRow,
  { port, transport, manner, wanted = row }: RowOptions,
): Promise<void> {
  const query = makeQuery(row.name, { type: row.type, udpBytes: 1232 });
  const reply = readReply(await (transport === 'tcp' ? askByTcp : askByUdp)(port, query));
  assert.deepEqual({ id: reply.id, rcode: reply.rcode }, { id: ID, rcode: RCODES[wanted.rcode] });
  assert.equal(reply.isAuthoritative, isOurs(wanted), 'DNS-27');
  assert.equal(reply.isTruncated, false);
  assert.deepEqual(
    reply.questions.map(({ name, type }) => `${name} ${type}`),
    [`${row.name} ${row.type}`],
  );
  checkAnswers(row, reply.answers, { wanted, manner });
  checkAuthority(reply.authorities, { wanted, manner });
  checkAdditional(reply.answers, reply.additionals);
}

interface Rules {
  readonly wanted: Outcome;
  readonly manner: Manner;
}

function checkAnswers(row: FixtureRow, answers: readonly Answer[], { wanted, manner }: Rules): void {
  assert.deepEqual(answers.map(toText).sort(), wanted.answers);
  for (const answer of answers) {
    checkOwner(row, answer.name, manner);
    assert.equal(answer.type, row.type);
    assert.ok('class' in answer && 'ttl' in answer && answer.class === 'IN');
    const { ttl = 0 } = answer;
    assert.ok(ttl >= 1 && ttl <= manner.ttlSecondsMax(row.type), `a TTL of ${ttl} s`);
    if (answer.type === 'SRV') assertUsable(answer.data);
  }
}

function checkOwner({ name }: FixtureRow, owner: string, { keepsCase }: Manner): void {
  if (keepsCase) assert.equal(owner, name, 'DNS-18');
  else assert.equal(owner.toLowerCase(), name.toLowerCase(), 'DNS-18');
}

/** A weight of 0 is hardly ever chosen beside others (RFC 2782). */
function assertUsable({ priority, weight = 0 }: SrvData): void {
  assert.equal(priority, 0);
  assert.ok(weight > 0);
}

function checkAuthority(authorities: readonly Answer[], { wanted, manner }: Rules): void {
  if (!isNegative(wanted)) return void assert.deepEqual(authorities, []);
  const [soa, ...others] = authorities;
  assert.ok(soa?.type === 'SOA' && others.length === 0, 'DNS-28');
  const { mname, rname, minimum } = soa.data;
  assert.deepEqual(
    { name: soa.name, mname, rname, minimum },
    { name: ZONE, mname: `ns.dns.${ZONE}`, rname: `hostmaster.${ZONE}`, minimum: manner.minimumSeconds },
  );
}

/** Addresses of the targets, and nothing else (DNS-10). */
function checkAdditional(answers: readonly Answer[], additionals: readonly Answer[]): void {
  const targets = new Set(answers.flatMap((answer) => (answer.type === 'SRV' ? [answer.data.target] : [])));
  const records = additionals.filter(({ type }) => type !== 'OPT');
  for (const { type, name } of records) {
    assert.ok((type === 'A' || type === 'AAAA') && targets.has(name), `${name} ${type} in the additional section`);
  }
  const known = new Set(records.map(({ name }) => name));
  assert.deepEqual(
    [...targets].filter((target) => !known.has(target)),
    [],
    'targets without an address',
  );
}

function toText(answer: Answer): string {
  switch (answer.type) {
    case 'A':
    case 'AAAA':
      return answer.data;
    case 'SRV':
      return `${answer.data.port} ${answer.data.target}`;
    case 'TXT':
      return [answer.data].flat().map(String).join('');
    default:
      return answer.type;
  }
}

const isOurs = ({ rcode }: Outcome): boolean => rcode !== 'REFUSED';
const isNegative = (wanted: Outcome): boolean => isOurs(wanted) && wanted.answers.length === 0;
