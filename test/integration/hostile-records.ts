/** A hostile peer that lies about its exports: what it may not say is refused with its reason, what is known stays, others are unaffected. */
import assert from 'node:assert/strict';
import type { IImportBinding } from '#src/api/generated/ImportBinding.ts';
import type { IPeer } from '#src/api/generated/Peer.ts';
import { PORTS_PER_RECORD_MAX, RECORD_BYTES_MAX, RECORDS_PER_PEER_MAX } from '#src/exchange/limits.ts';
import { greetAs, makeRecord, serveExchange, snapshotOf } from '#test/support/hostile.ts';
import type { HostileStage } from '#test/support/hostile-stage.ts';
import { exportManifest, ruleManifest } from '#test/support/standalone.ts';
import { waitFor } from '#test/support/wait.ts';

export function describeLies(stageOf: () => HostileStage): void {
  describe('it lies about its exports', () => {
    let stage: HostileStage;
    before(async () => {
      stage = stageOf();
      const { east, west } = stage;
      await west.write('web.yaml', exportManifest('web', 7779, west.gatewayPort));
      const web = { peers: { names: ['mallory', 'west'] }, exports: { namespaces: ['shop'], names: ['web'] } };
      await east.write('web.yaml', ruleManifest({ priority: 200, ...web }, 'web'));
      const all = { peers: { names: ['mallory'] }, exports: { all: true }, into: { sameNamespace: true } };
      await east.write('all.yaml', ruleManifest(all, 'all-of-mallory'));
      await waitFor('store/web is imported from west', async () => (await webOf())?.spec.sources.length === 1);
    });
    beforeEach(() => stage.mark());

    const webOf = async (): Promise<IImportBinding | undefined> =>
      (await stage.east.get<IImportBinding[]>('ImportBinding')).find(
        ({ spec }) => spec.import.namespace === 'store' && spec.import.name === 'web',
      );
    const recordsOf = async (): Promise<number | undefined> =>
      (await stage.east.status()).peers.find(({ name }) => name === 'mallory')?.records;
    const skippedFor = (source: string, reason: string): Promise<unknown> =>
      waitFor(`${source} is skipped: ${reason}`, async () =>
        (await stage.east.status()).skipped.some((skip) => skip.source === source && skip.reason === reason),
      );

    it('system namespaces, another import, an age before everybody, an unknown need → each skipped with its reason; the rest is imported', async () => {
      await using session = await greetAs(
        stage.mallory,
        stage.victim,
        serveExchange(
          ...snapshotOf(
            makeRecord(),
            makeRecord({ namespace: 'kube-system', name: 'dns' }),
            makeRecord({ namespace: 'default', name: 'kubernetes' }),
            makeRecord({ namespace: 'clusterlink-system', name: 'gateway' }),
            // What the rule for web has made of west's export already.
            makeRecord({ namespace: 'store', name: 'web' }),
            makeRecord({ namespace: 'shop', name: 'web', type: 'Headless', createdAt: '1970-01-01T00:00:00Z' }),
            makeRecord({ namespace: 'tools', name: 'future', requires: ['telepathy'] }),
          ),
        ),
      );
      await waitFor('tools/git is imported', async () =>
        (await stage.east.status()).imports.some(({ name }) => name === 'tools/git'),
      );
      for (const source of ['kube-system/dns', 'default/kubernetes', 'clusterlink-system/gateway']) {
        await skippedFor(`mallory/${source}`, 'RestrictedNamespace');
      }
      await skippedFor('mallory/store/web', 'NameTaken');
      await skippedFor('mallory/shop/web', 'TypeConflict');
      await skippedFor('mallory/tools/future', 'UnknownFeature');
      const { imports } = await stage.east.status();
      assert.deepEqual(imports.map(({ name }) => name).sort(), ['shop/web', 'store/web', 'tools/git']);
      const web = await webOf();
      assert.equal(web?.spec.type, 'ClusterSetIP');
      assert.deepEqual(
        web.spec.sources.map(({ peer }) => peer),
        ['west'],
      );
      assert.equal(session.yamux.closed, false);
    });

    const lies: { name: string; lines: readonly unknown[]; problem: string }[] = [
      {
        name: 'a namespace in Cyrillic',
        lines: snapshotOf(makeRecord({ namespace: 'ѕhop' })),
        problem: 'record: namespace must be an RFC 1123 label',
      },
      {
        name: 'a name that is a path',
        lines: snapshotOf(makeRecord({ name: '../../../../etc/passwd' })),
        problem: 'record: name must be an RFC 1123 label',
      },
      {
        name: 'a name that would be two lines of a log',
        lines: snapshotOf(makeRecord({ name: 'git\n{"level":30,"msg":"all is well"}' })),
        problem: 'record: name must be an RFC 1123 label',
      },
      {
        name: 'a uid that is a path',
        lines: snapshotOf(makeRecord({ uid: '../uid' })),
        problem: 'record: uid must be letters, digits and dashes',
      },
      {
        name: 'a label with a terminal escape',
        lines: snapshotOf(makeRecord({ labels: { tier: '\u001b[2J' } })),
        problem: 'record: labels must not hold control characters',
      },
      {
        name: 'a label that turns the text around, without a partner',
        lines: snapshotOf(makeRecord({ labels: { tier: '\ud800' } })),
        problem: 'record: labels must not hold control characters',
      },
      {
        name: 'a day that does not exist',
        lines: snapshotOf(makeRecord({ createdAt: '1970-02-30T00:00:00Z' })),
        problem: 'record: createdAt must be a day that exists',
      },
      {
        name: 'more ports than a record may have',
        lines: snapshotOf(
          makeRecord({
            ports: Array.from({ length: PORTS_PER_RECORD_MAX + 1 }, (_, index) => ({
              ...{ name: `p${index}`, protocol: 'TCP', port: index + 1 },
            })),
          }),
        ),
        problem: 'record: ports must be <=64',
      },
      {
        name: 'a giant record',
        lines: snapshotOf(makeRecord({ annotations: { big: 'x'.repeat(RECORD_BYTES_MAX) } })),
        problem: `record: is longer than ${RECORD_BYTES_MAX} bytes`,
      },
      {
        name: 'a digest of something else',
        lines: [...snapshotOf().slice(0, -1), { op: 'record', record: makeRecord() }, ...snapshotOf()],
        problem: 'the digest is not that of the snapshot',
      },
      {
        name: 'an operation that there is not',
        lines: [{ op: 'delete-everything' }],
        problem: 'is not a message of this protocol',
      },
    ];
    for (const { name, lines, problem } of lies) {
      it(`${name} → the exchange is broken off with the reason, what was known stays`, async () => {
        const before = stage.east.log().length;
        await using session = await greetAs(stage.mallory, stage.victim, serveExchange(...lines));
        await waitFor('it is said why', () => stage.east.log().slice(before).includes(problem));
        assert.equal(await recordsOf(), 7);
        assert.equal(session.yamux.closed, false);
      });
    }

    it('a snapshot without end → broken off at the bound, LimitReached, what was known stays', async () => {
      const records = Array.from({ length: RECORDS_PER_PEER_MAX + 1 }, (_, index) => makeRecord({ name: `r${index}` }));
      await using session = await greetAs(stage.mallory, stage.victim, serveExchange(...snapshotOf(...records)));
      await waitFor(
        'the Peer says so',
        async () => {
          const [peer] = (await stage.east.get<IPeer[]>('Peer')).filter(({ metadata }) => metadata?.name === 'mallory');
          return peer?.status?.conditions?.some(({ reason, status }) => reason === 'LimitReached' && status === 'True');
        },
        20_000,
      );
      assert.equal(await recordsOf(), 7);
      assert.equal(session.yamux.closed, false);
    });
  });
}
