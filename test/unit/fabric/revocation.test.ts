import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { AppError } from '#src/api/errors.ts';
import { createFabric, type CertificateAndKey } from '#src/fabric/authority.ts';
import { toAuthority } from '#src/fabric/authority-facts.ts';
import { makeNextList } from '#src/fabric/crl.ts';
import { CRL_BYTES_MAX, CRLS_MAX } from '#src/fabric/limits.ts';
import { makeListsInForce } from '#src/fabric/lists-in-force.ts';
import { fingerprintOf } from '#src/fabric/request.ts';
import {
  newestLists,
  readList,
  signerOf,
  splitLists,
  toRevokedSerials,
  type ReadList,
} from '#src/fabric/revocation.ts';
import { Extension, X509Certificate as X509, X509CrlGenerator } from '#src/fabric/x509.ts';
import { parsePrivateKey, toSigningKey } from '#src/fabric/keys.ts';
import { makeAuthority } from '#test/support/authorities.ts';

const DAY_MS = 86_400_000;
const NOW = new Date('2026-11-21T12:00:00Z');

/** Base64 of the DER, as it travels. */
function textOf(pem: string): string {
  return splitLists(pem)[0] ?? '';
}

async function listOf(
  ca: CertificateAndKey,
  revoke: readonly string[],
  options: {
    readonly before?: ReadList | undefined;
    readonly now?: Date;
    readonly over?: ReadonlyMap<string, Date>;
  } = {},
): Promise<string> {
  const { before, now = NOW, over = new Map() } = options;
  const made = await makeNextList({
    caCertPem: ca.certPem,
    caKeyPem: ca.keyPem,
    before,
    revoke,
    notAfter: over,
    now,
  });
  return textOf(made.pem);
}

describe('makeNextList', () => {
  let fabric: CertificateAndKey;
  before(async () => {
    fabric = await createFabric({ name: 'acme' });
  });

  it('two serial numbers → a list of version 2 that OpenSSL’s fields have: number, dates, both', async () => {
    const list = readList(await listOf(fabric, ['0a', 'ff01']));
    assert.equal(list.thisUpdateMs, NOW.getTime());
    assert.equal(list.nextUpdateMs, NOW.getTime() + 30 * DAY_MS);
    assert.equal(list.number, BigInt(NOW.getTime() / 1000));
    assert.deepEqual(list.entries.map(({ serial }) => serial).sort(), ['a', 'ff01']);
  });
  it('one more, in the same second → all three, a greater number', async () => {
    const before = readList(await listOf(fabric, ['a1', 'b2']));
    const after = readList(await listOf(fabric, ['c3', 'a1'], { before }));
    assert.equal(after.number, before.number + 1n);
    assert.deepEqual(after.entries.map(({ serial }) => serial).sort(), ['a1', 'b2', 'c3']);
  });
  it('an entry whose certificate had expired when the last list was made → left out; one that expired since → kept', async () => {
    const before = readList(await listOf(fabric, ['a1', 'b2']));
    const now = new Date(NOW.getTime() + DAY_MS);
    const over = new Map([
      ['a1', new Date(NOW.getTime() - 1)],
      ['b2', new Date(NOW.getTime() + 1)],
    ]);
    const after = readList(await listOf(fabric, [], { before, now, over }));
    assert.deepEqual(
      after.entries.map(({ serial }) => serial),
      ['b2'],
    );
  });
  it('a list before of another CA → ERR_CERTIFICATE: it is not replaced', async () => {
    const other = await createFabric({ name: 'acme' });
    const before = readList(await listOf(other, ['a1']));
    await assert.rejects(listOf(fabric, ['b2'], { before }), {
      code: 'ERR_CERTIFICATE',
      message: /not signed by its CA/,
    });
  });
  it('more than fits → ERR_BOUND_EXCEEDED', async () => {
    const many = Array.from({ length: 2_000 }, (_, index) => `40${index.toString(16).padStart(30, '0')}`);
    await assert.rejects(listOf(fabric, many), { code: 'ERR_BOUND_EXCEEDED' });
    assert.ok((await listOf(fabric, many.slice(0, 800))).length <= CRL_BYTES_MAX);
  });
});

describe('readList', () => {
  let fabric: CertificateAndKey;
  let text: string;
  before(async () => {
    fabric = await createFabric({ name: 'acme' });
    text = await listOf(fabric, ['a1']);
  });
  const refusalOf = (list: string): string => {
    try {
      readList(list);
      return 'read';
    } catch (error) {
      assert.ok(error instanceof AppError, String(error));
      return error.code;
    }
  };

  it('bytes behind it, white space, base64 of another alphabet, nothing → ERR_MALFORMED', () => {
    const der = Buffer.from(text, 'base64');
    for (const wrong of [
      Buffer.concat([der, Buffer.from([0])]).toString('base64'),
      ` ${text}`,
      `${text}\n`,
      '',
      '_-_-',
    ]) {
      assert.equal(refusalOf(wrong), 'ERR_MALFORMED');
    }
  });
  it('one character more than the bound → ERR_BOUND_EXCEEDED; the bound → read for what it is', () => {
    assert.equal(refusalOf('A'.repeat(CRL_BYTES_MAX + 1)), 'ERR_BOUND_EXCEEDED');
    assert.equal(refusalOf('A'.repeat(CRL_BYTES_MAX)), 'ERR_MALFORMED');
  });
  it('a critical extension, such as that of a part of a list → ERR_MALFORMED', async () => {
    const issuer = new X509(fabric.certPem);
    const { key, algorithm } = toSigningKey(parsePrivateKey(fabric.keyPem, 'key'), 'key');
    const crl = await X509CrlGenerator.create({
      issuer: issuer.subjectName,
      signingKey: key,
      signingAlgorithm: algorithm,
      extensions: [new Extension('2.5.29.27', true, Buffer.from([2, 1, 1]))],
    });
    assert.equal(refusalOf(Buffer.from(crl.rawData).toString('base64')), 'ERR_MALFORMED');
  });
  it('any bytes, and a list with any byte changed → read or refused, by an AppError', () => {
    const der = Buffer.from(text, 'base64');
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        refusalOf(Buffer.from(bytes).toString('base64'));
        refusalOf(Buffer.concat([Buffer.from([0x30, bytes.length & 0x7f]), bytes.subarray(0, 127)]).toString('base64'));
      }),
      { numRuns: 200 },
    );
    fc.assert(
      fc.property(fc.nat(der.length - 1), fc.integer({ min: 1, max: 255 }), (at, by) => {
        const changed = Buffer.from(der);
        changed[at] = (changed[at] ?? 0) ^ by;
        refusalOf(changed.toString('base64'));
      }),
      { numRuns: 300 },
    );
  });
  it('sequences within sequences, as deep as fits → refused, not a full stack', () => {
    let der: Buffer = Buffer.from([0x30, 0x00]);
    while (der.length < 40_000) {
      const length = Buffer.from([0x30, 0x82, der.length >> 8, der.length & 0xff]);
      der = Buffer.concat([length, der]);
    }
    assert.equal(refusalOf(der.toString('base64')), 'ERR_MALFORMED');
  });
});

describe('splitLists', () => {
  it('as many as may be → all; one more → ERR_BOUND_EXCEEDED; none → ERR_MALFORMED', () => {
    const pem = '-----BEGIN X509 CRL-----\nQUJD\n-----END X509 CRL-----\n';
    assert.deepEqual(
      splitLists(pem.repeat(CRLS_MAX)),
      Array.from({ length: CRLS_MAX }, () => 'QUJD'),
    );
    assert.throws(() => splitLists(pem.repeat(CRLS_MAX + 1)), { code: 'ERR_BOUND_EXCEEDED' });
    assert.throws(() => splitLists('hello'), { code: 'ERR_MALFORMED' });
  });
});

describe('signerOf', () => {
  it('the key that signed it → that root; another root of the same name and key identifier → nobody', async () => {
    const fabric = await createFabric({ name: 'acme' });
    const copy = await makeAuthority({ name: 'acme', likeKeyOf: fabric.certPem });
    const [root, other] = [fabric, copy].map(({ certPem }) => toAuthority(new X509Certificate(certPem)));
    assert.ok(root !== undefined && other !== undefined);
    const list = readList(await listOf(fabric, ['a1']));
    assert.equal(signerOf(list, [other, root]), root);
    assert.equal(signerOf(list, [other]), undefined);
  });
  it('any byte changed → nobody has signed it', async () => {
    const fabric = await createFabric({ name: 'acme' });
    const root = toAuthority(new X509Certificate(fabric.certPem));
    const der = Buffer.from(await listOf(fabric, ['a1']), 'base64');
    fc.assert(
      fc.property(fc.nat(der.length - 1), fc.integer({ min: 1, max: 255 }), (at, by) => {
        const changed = Buffer.from(der);
        changed[at] = (changed[at] ?? 0) ^ by;
        let list: ReadList;
        try {
          list = readList(changed.toString('base64'));
        } catch {
          return;
        }
        assert.equal(signerOf(list, [root]), undefined);
      }),
      { numRuns: 100 },
    );
  });
});

describe('newestLists', () => {
  it('of one key in any order → the greatest number alone, never what an older one had besides', async () => {
    const fabric = await createFabric({ name: 'acme' });
    const issuer = fingerprintOf(new X509Certificate(fabric.certPem).publicKey);
    const older = { ...readList(await listOf(fabric, ['a1', 'b2'])), issuer };
    const newer = { ...readList(await listOf(fabric, ['b2'], { now: new Date(NOW.getTime() + 5_000) })), issuer };
    for (const lists of [
      [older, newer],
      [newer, older],
    ]) {
      assert.deepEqual(newestLists(lists).map(toRevokedSerials), [{ issuer, list: newer.digest, serials: ['b2'] }]);
    }
  });
});

describe('makeListsInForce', () => {
  let ours: CertificateAndKey;
  let theirs: CertificateAndKey;
  before(async () => {
    [ours, theirs] = await Promise.all([createFabric({ name: 'acme' }), createFabric({ name: 'acme' })]);
  });
  const none = new Map<string, string>();
  function serials(
    lists: ReturnType<typeof makeListsInForce>,
    texts: readonly string[],
    rootsByPeer: ReadonlyMap<string, string> = none,
  ): string[] {
    const { inForce } = lists.update({ caPem: ours.certPem, rootsByPeer, texts });
    return inForce.flatMap(({ entries }) => entries.map(({ serial }) => serial));
  }

  it('a list of a root that is not believed → nothing; bound to a peer → in force; unbound again → nothing', async () => {
    const lists = makeListsInForce();
    const list = await listOf(theirs, ['a1']);
    assert.deepEqual(serials(lists, [list]), []);
    assert.deepEqual(serials(lists, [list], new Map([['east', theirs.certPem]])), ['a1']);
    assert.deepEqual(serials(lists, [list]), []);
  });
  it('the newest is gone and an older one is repeated → the newest stays in force', async () => {
    const lists = makeListsInForce();
    const older = await listOf(ours, ['a1']);
    const newer = await listOf(ours, ['b2'], { before: readList(older), now: new Date(NOW.getTime() + 1_000) });
    assert.deepEqual(serials(lists, [older, newer]).sort(), ['a1', 'b2']);
    assert.deepEqual(serials(lists, [older]).sort(), ['a1', 'b2']);
    assert.deepEqual(serials(lists, []).sort(), ['a1', 'b2']);
  });
  it('a stale list → in force', async () => {
    const stale = await listOf(ours, ['a1'], { now: new Date(NOW.getTime() - 400 * DAY_MS) });
    assert.deepEqual(serials(makeListsInForce(), [stale]), ['a1']);
  });
  it('garbage beside it, the same as PEM, and twice → the list; who signed what is told of foreign ones', async () => {
    const list = await listOf(ours, ['a1']);
    const pem = `-----BEGIN X509 CRL-----\n${list}\n-----END X509 CRL-----\n`;
    assert.deepEqual(serials(makeListsInForce(), ['', 'x', '-----BEGIN', pem, list, list]), ['a1']);
    const foreign = await listOf(theirs, ['b2']);
    const { foreign: told } = makeListsInForce().update({
      caPem: ours.certPem,
      rootsByPeer: none,
      texts: [list, foreign],
    });
    assert.deepEqual(
      told.map(({ text }) => text),
      [foreign],
    );
  });
  it('two roots with a list each → both in force, those of the fabric first', async () => {
    const lists = makeListsInForce();
    const texts = [await listOf(theirs, ['b2']), await listOf(ours, ['a1'])];
    assert.deepEqual(serials(lists, texts, new Map([['east', theirs.certPem]])), ['a1', 'b2']);
  });
});
