import assert from 'node:assert/strict';
import { foresee } from '#src/gateway/foresee.ts';
import { FORESEE_TIMEOUT_MS, FORESEEN_PER_TURN_MAX, FORESEEN_TOLD_MAX } from '#src/gateway/limits.ts';
import { toRoutes } from '#src/gateway/routes.ts';
import { makeTunnelTable, type Revocation, type Tunnel } from '#src/gateway/tunnels.ts';
import { compilePolicies } from '#src/policy/compile.ts';

const nothing = { peers: [], imports: [], exports: [] };
const policies = compilePolicies({ privileged: [], regular: [], baseline: [] });
const present = toRoutes({ version: 1, ...nothing, policies });
const next = { ...present, policies: { ...policies } };
const denied: Revocation = { reason: 'POLICY_CHANGED', message: 'AccessPolicy shop/strict denies it.' };

function tunnel(connection: string, changes: Partial<Tunnel> = {}): Tunnel {
  return {
    subject: { connection, direction: 'ingress', object: 'shop/db', peer: 'west' },
    recheck: () => undefined,
    abort: () => assert.fail('nothing is cut'),
    keepAlive: () => assert.fail('nobody has said so'),
    ...changes,
  };
}

describe('foresee', () => {
  it('connections of which other policies would end one → that one alone, by its reason; nothing is cut', async () => {
    const table = makeTunnelTable();
    table.add(tunnel('stays'));
    const goes: Tunnel = {
      ...tunnel('goes', { client: '10.0.0.1' }),
      // As of a class: asked without its object, it would not know which connection it is.
      recheck(routes) {
        return routes === next && this.client === '10.0.0.1' ? denied : undefined;
      },
    };
    table.add(goes);
    assert.deepEqual(await foresee({ table, present, next }), {
      open: 2,
      cuts: [
        { connection: 'goes', direction: 'ingress', object: 'shop/db', peer: 'west', client: '10.0.0.1', ...denied },
      ],
      cutsTotal: 1,
      unasked: 0,
      admissions: [],
    });
  });

  it(`more than ${FORESEEN_TOLD_MAX} would be cut → so many are told, all are counted`, async () => {
    const table = makeTunnelTable();
    for (let count = 0; count <= FORESEEN_TOLD_MAX; count++) table.add(tunnel(`c${count}`, { recheck: () => denied }));
    const { cuts, cutsTotal } = await foresee({ table, present, next });
    assert.deepEqual([cuts.length, cutsTotal], [FORESEEN_TOLD_MAX, FORESEEN_TOLD_MAX + 1]);
  });

  it(`${FORESEE_TIMEOUT_MS} ms are over → the rest is told as not asked`, async () => {
    const table = makeTunnelTable();
    for (let count = 0; count < FORESEEN_PER_TURN_MAX + 5; count++) table.add(tunnel(`c${count}`));
    let nowMs = 0;
    const clock = (): number => (nowMs += FORESEE_TIMEOUT_MS / 2);
    assert.deepEqual(await foresee({ table, present, next, nowMs: clock }), {
      open: FORESEEN_PER_TURN_MAX + 5,
      cuts: [],
      cutsTotal: 0,
      unasked: 5,
      admissions: [],
    });
  });

  it('a turn of connections was asked → the event loop has its turn before the next ones', async () => {
    const table = makeTunnelTable();
    let asked = 0;
    const recheck = (): undefined => void asked++;
    for (let count = 0; count < 2 * FORESEEN_PER_TURN_MAX; count++) table.add(tunnel(`c${count}`, { recheck }));
    const seen = foresee({ table, present, next });
    assert.equal(asked, FORESEEN_PER_TURN_MAX);
    await seen;
    assert.equal(asked, 2 * FORESEEN_PER_TURN_MAX);
  });

  it('refused of late → those that would pass, and did not for a decision that changes', async () => {
    const table = makeTunnelTable();
    const { subject } = tunnel('r');
    table.refuse({ subject: { ...subject, connection: 'changes' }, isAllowed: (routes) => routes === next });
    table.refuse({ subject: { ...subject, connection: 'still refused' }, isAllowed: () => false });
    // Refused by the other peer, or long since allowed.
    table.refuse({ subject: { ...subject, connection: 'not ours to refuse' }, isAllowed: () => true });
    const { admissions } = await foresee({ table, present, next });
    assert.deepEqual(
      admissions.map(({ connection }) => connection),
      ['changes'],
    );
  });
});
