import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parsePeerRoots } from '#src/api/peer-roots.ts';
import { PEER_ROOTS_BYTES_MAX, PEER_ROOTS_MAX } from '#src/api/validation/limits.ts';
import { findRefusals, validateObject } from '#src/api/validation/validate.ts';
import { createFabric } from '#src/fabric/authority.ts';
import { createRequest } from '#src/fabric/request.ts';
import { signRequest } from '#src/fabric/sign.ts';
import { makeAuthority } from '#test/support/authorities.ts';

const KEY = 'mcs.clusterlink.net/roots';

describe('parsePeerRoots', () => {
  let root: string;
  let rows: readonly (readonly [title: string, text: string, message: RegExp])[];
  before(async () => {
    const fabric = await createFabric({ name: 'acme' });
    root = fabric.certPem;
    const { csrPem } = await createRequest({ peer: 'east' });
    const leaf = await signRequest({ caCertPem: fabric.certPem, caKeyPem: fabric.keyPem, csrPem });
    const between = await makeAuthority({ name: 'between', by: fabric });
    const long = await makeAuthority({ name: 'n', units: Array.from({ length: 9 }, () => 'u'.repeat(60)) });
    rows = [
      ['nothing', '', /not certificates in PEM/],
      ['words', 'hello', /not certificates in PEM/],
      ['words beside a root', `${root}hello`, /not certificates in PEM/],
      ['one more than may be', root.repeat(PEER_ROOTS_MAX + 1), /3 certificates, more than 2/],
      ['one byte more than fits', root.padEnd(PEER_ROOTS_BYTES_MAX + 1), /larger than 16384 bytes/],
      ['a block of nothing', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----', /cannot be read/],
      ['a private key', root + fabric.keyPem, /a private key/],
      ["a peer's certificate", leaf, /not a CA/],
      ['an intermediate', between.certPem, /not self-signed/],
      ['a CA with a name too long', long.certPem, /too long a name/],
    ];
  });

  it('one, two, and as many bytes as fit → the roots', () => {
    for (const text of [root, `\n${root}\n${root}`, root.padEnd(PEER_ROOTS_BYTES_MAX)]) {
      const parsed = parsePeerRoots(text);
      assert.ok(parsed.ok);
      assert.equal(parsed.roots[0]?.subject, 'CN=acme');
    }
  });

  it('anything else → what is wrong, and what to do; a Peer with it is in force, so that nobody vouches for it', () => {
    for (const [title, text, message] of rows) {
      const parsed = parsePeerRoots(text);
      assert.ok(!parsed.ok, title);
      assert.match(parsed.message, message, title);
      assert.match(parsed.fix, /^[A-Z].*\.$/, title);
      const metadata = { name: 'west', namespace: 'clusterlink-system', annotations: { [KEY]: text } };
      const peer = { apiVersion: 'clusterlink.net/v1alpha1', kind: 'Peer', metadata, spec: { gateways: [] } };
      assert.deepEqual(findRefusals('Peer', peer), [], title);
      const [problem, ...more] = validateObject('Peer', peer);
      assert.deepEqual(
        [problem?.path, problem?.severity, more],
        [['metadata', 'annotations', KEY], 'error', []],
        title,
      );
    }
  });

  it('any text → an answer', () => {
    fc.assert(fc.property(fc.string(), (text) => void parsePeerRoots(text)));
    fc.assert(
      fc.property(fc.base64String(), (body) => {
        assert.ok(!parsePeerRoots(`-----BEGIN CERTIFICATE-----\n${body}\n-----END CERTIFICATE-----\n`).ok);
      }),
    );
  });
});
