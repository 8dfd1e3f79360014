import assert from 'node:assert/strict';
import type { PeerCertificate } from 'node:tls';
import fc from 'fast-check';
import { peerNameOf } from '#src/fabric/identity.ts';

const certificateWith = (subjectaltname?: string): PeerCertificate =>
  ({
    subject: { CN: 'east' },
    ...(subjectaltname === undefined ? {} : { subjectaltname }),
  }) as unknown as PeerCertificate;

describe('peerNameOf', () => {
  const good: readonly (readonly [string, string, string])[] = [
    ['one DNS name', 'DNS:east', 'east'],
    ['a name of 63 characters', `DNS:${'a'.repeat(63)}`, 'a'.repeat(63)],
    ['one DNS name among other types', 'IP Address:10.0.0.1, DNS:east, URI:spiffe://x/y', 'east'],
    ['a quoted value of another type', String.raw`URI:"a, DNS:west", DNS:east`, 'east'],
  ];
  for (const [title, text, name] of good) {
    it(`${title} → that name`, () => assert.equal(peerNameOf(certificateWith(text)), name));
  }

  const bad: readonly (readonly [string, string | undefined])[] = [
    ['no extension, only a common name', undefined],
    ['an empty extension', ''],
    ['no DNS name', 'IP Address:10.0.0.1'],
    ['two DNS names', 'DNS:east, DNS:west'],
    ['the same DNS name twice', 'DNS:east, DNS:east'],
    ['a wildcard', 'DNS:*'],
    ['a wildcard below a domain', 'DNS:*.east'],
    ['capitals', 'DNS:East'],
    ['a name with a dot', 'DNS:east.example'],
    ['a name of 64 characters', `DNS:${'a'.repeat(64)}`],
    ['an empty name', 'DNS:'],
    ['a quoted name that would read as two', String.raw`DNS:"east, DNS:west"`],
    ['a name with a NUL', String.raw`DNS:"east\u0000.evil"`],
    ['a name only inside a quoted value', String.raw`URI:"x, DNS:east"`],
    ['text that is no list of names', 'DNS:east, nonsense'],
    ['a quote that never ends', 'DNS:east, URI:"x'],
  ];
  for (const [title, text] of bad) {
    it(`${title} → ERR_CERTIFICATE`, () => {
      assert.throws(() => peerNameOf(certificateWith(text)), { code: 'ERR_CERTIFICATE' });
    });
  }

  it('any text → a label or ERR_CERTIFICATE, never another error', () => {
    const pieces = fc.constantFrom('DNS:', 'east', '"', '\\', ', ', 'IP Address:', 'URI:', '*', '\u0000', 'É');
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
        try {
          assert.match(peerNameOf(certificateWith(parts.join(''))), /^[a-z0-9-]{1,63}$/);
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'ERR_CERTIFICATE');
        }
      }),
    );
  });
});
