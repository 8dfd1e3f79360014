import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { startRevocations, type Revocations, type RevocationsOptions } from '#src/cli/run/revocations.ts';
import { createFabric, type CertificateAndKey } from '#src/fabric/authority.ts';
import { makeNextList } from '#src/fabric/crl.ts';
import { createRequest, fingerprintOf } from '#src/fabric/request.ts';
import { splitLists } from '#src/fabric/revocation.ts';
import { toSerial } from '#src/fabric/revoked-serials.ts';
import { signRequest } from '#src/fabric/sign.ts';
import { makeLogger } from '#src/runtime/log.ts';
import { makeMetrics } from '#src/runtime/metrics.ts';
import { waitFor } from '#test/support/wait.ts';

const DAY_MS = 86_400_000;

describe('startRevocations', () => {
  let fabric: CertificateAndKey;
  let certPem: string;
  let revocations: Revocations | undefined;
  before(async () => {
    fabric = await createFabric({ name: 'acme' });
    const { csrPem } = await createRequest({ peer: 'north' });
    certPem = await signRequest({ caCertPem: fabric.certPem, caKeyPem: fabric.keyPem, csrPem });
  });
  afterEach(() => revocations?.close());

  async function listOf(revoke: readonly string[], now = new Date(), ca = fabric): Promise<string> {
    const { pem } = await makeNextList({
      caCertPem: ca.certPem,
      caKeyPem: ca.keyPem,
      before: undefined,
      revoke,
      notAfter: new Map(),
      now,
    });
    return splitLists(pem)[0] ?? '';
  }

  /** What peers have said, and how it changes. */
  async function start(first: readonly string[], crl?: string) {
    let said = first;
    let changed = (): void => undefined;
    let log = '';
    const metrics = makeMetrics({ version: '1' });
    const noCache = { list: () => [], onChange: () => () => undefined };
    const cache = {
      list: () => [{ spec: { peer: 'east', records: [], revocations: [...said] } }],
      onChange(listener: () => void) {
        changed = listener;
        return () => undefined;
      },
    };
    const identity = {
      current: () => ({ peer: 'north', certPem, keyPem: '', caPem: fabric.certPem, notAfter: new Date() }),
    };
    revocations = await startRevocations({
      config: {
        peer: 'north',
        fabric: { name: 'acme', ca: '', cert: '', key: '', ...(crl === undefined ? {} : { crl }) },
      },
      identity: { ...identity, onChange: () => () => undefined, close: () => undefined },
      caches: { Peer: noCache, PeerRecords: cache } as unknown as RevocationsOptions['caches'],
      logger: makeLogger({ level: 'info', destination: { write: (line) => (log += line) } }),
      metrics,
    });
    return {
      revocations,
      log: () => log,
      metric: async (name: string) =>
        new RegExp(`^clusterlink_mcs_${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(await metrics.expose())?.[1],
      say(next: readonly string[]) {
        said = next;
        changed();
      },
    };
  }

  it('what peers said before the start → in force when it begins, and offered to others', async () => {
    const list = await listOf(['a1']);
    const { revocations: started, metric, log } = await start([list, 'garbage']);
    assert.deepEqual(started.lists(), [list]);
    const issuer = fingerprintOf(new X509Certificate(fabric.certPem).publicKey);
    assert.deepEqual(
      started.revoked().map(({ issuer: by, serials }) => [by, serials]),
      [[issuer, ['a1']]],
    );
    assert.ok(Number(await metric('crl_next_update_seconds')) > 29 * 86_400);
    assert.equal(await metric('certificate_revoked'), '0');
    assert.doesNotMatch(log(), /"level":(?:40|50)|warn|error/);
  });

  it('a list of nobody who is believed → nothing; a newer one of ours → in force, told once', async () => {
    const { revocations: started, say, log } = await start([await listOf(['a1'], new Date(Date.now() - 5_000))]);
    let changes = 0;
    started.onChange(() => changes++);
    say([await listOf(['c3'], new Date(), await createFabric({ name: 'acme' }))]);
    say([await listOf(['b2'])]);
    await waitFor('the newer one is in force', () => started.revoked()[0]?.serials[0] === 'b2');
    assert.equal(changes, 1);
    assert.equal(log().match(/Revocation list in force/g)?.length, 2);
  });

  it('a file that is there and does not do, at the start → refused, nobody is let in; none → as if nobody was revoked', async () => {
    await assert.rejects(start([], import.meta.filename), {
      code: 'ERR_MALFORMED',
      message: /has no "X509 CRL" in PEM/,
    });
    await assert.rejects(start([], import.meta.dirname), { code: 'ERR_CERTIFICATE' });
    const { revocations: started } = await start([], `${import.meta.filename}.none`);
    assert.deepEqual(started.revoked(), []);
  });

  it('a stale list → in force, one warning, a negative number', async () => {
    const {
      revocations: started,
      metric,
      log,
    } = await start([await listOf(['a1'], new Date(Date.now() - 31 * DAY_MS))]);
    assert.deepEqual(started.revoked()[0]?.serials, ['a1']);
    assert.ok(Number(await metric('crl_next_update_seconds')) < -86_000);
    assert.equal(log().match(/is stale, and stays in force/g)?.length, 1);
  });

  it('our own certificate is on the list → an error in the log and the metric; the process goes on', async () => {
    const { revocations: started, say, metric, log } = await start([]);
    assert.equal(started.isOwnRevoked(), false);
    say([await listOf([toSerial(new X509Certificate(certPem).serialNumber)])]);
    await waitFor('it is known', () => started.isOwnRevoked());
    assert.equal(await metric('certificate_revoked'), '1');
    assert.match(log(), /own certificate was revoked/);
  });
});
