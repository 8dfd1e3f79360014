/**
 * Access tokens: what `POST /authz` has granted, sealed, so that any gateway of this peer can honour it at CONNECT without having
 * seen the question. They are opaque to everybody else.
 *
 *     base64url( nonce, 12 bytes | AES-256-GCM of the grant as JSON | tag, 16 bytes )
 *
 * The key is derived from this peer's private key, which is what its gateways share and nobody else has. A token is no permission:
 * at CONNECT the decision is made again, for the peer in the token, which must be the one that shows it.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import type { ObjectKey } from '../../api/object.ts';
import { REASONS } from '../../api/reasons.ts';
import type { AssertedClient } from '../decisions.ts';
import type { Revocation } from '../tunnels.ts';
import { ACCESS_TOKEN_CHARS_MAX, ACCESS_TOKEN_MS, ACCESS_TOKEN_SKEW_MS } from './limits.ts';

/** The version of what is sealed is part of the key: a token of another version is one of another peer. */
const KEY_INFO = 'clusterlink-mcs access token 1';
const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const BASE64URL = /^[A-Za-z0-9_-]+$/;

export interface AccessGrant {
  /** To whom. */
  readonly peer: string;
  readonly export: ObjectKey;
  readonly port: number;
  /** The client that was decided on: decided on again at CONNECT. */
  readonly asserted: AssertedClient;
  /** 32 hexadecimal digits that join what is said of the question and of the connection. */
  readonly connection: string;
}

interface Sealed extends AccessGrant {
  /** Milliseconds since 1970. */
  readonly expiresMs: number;
}

export type OpenedToken =
  | { readonly ok: true; readonly grant: AccessGrant }
  /** `grant` where the token is one of ours. */
  | { readonly ok: false; readonly why: Revocation; readonly grant?: AccessGrant };

export interface AccessTokens {
  seal(grant: AccessGrant): string;
  /** @param peer - the name in the certificate of the one who shows it. */
  open(token: string, peer: string): OpenedToken;
}

export interface AccessTokensOptions {
  readonly keyPem: () => string;
  /** The time of day: replicas compare it. */
  readonly nowMs: () => number;
}

export function makeAccessTokens({ keyPem, nowMs }: AccessTokensOptions): AccessTokens {
  let current: { readonly keyPem: string; readonly key: Buffer } | undefined;
  /** Of the private key before: tokens that it has sealed live out their time. */
  let previous: { readonly key: Buffer; readonly untilMs: number } | undefined;

  function currentKey(): Buffer {
    const pem = keyPem();
    if (current?.keyPem !== pem) {
      if (current !== undefined) previous = { key: current.key, untilMs: nowMs() + ACCESS_TOKEN_MS };
      current = { keyPem: pem, key: Buffer.from(hkdfSync('sha256', pem, '', KEY_INFO, 32)) };
    }
    return current.key;
  }

  function unseal(token: string): Sealed | undefined {
    if (token.length > ACCESS_TOKEN_CHARS_MAX || !BASE64URL.test(token)) return undefined;
    const bytes = Buffer.from(token, 'base64url');
    // Node's decoder accepts stray last bits: one token, one spelling.
    if (bytes.length <= NONCE_BYTES + TAG_BYTES || bytes.toString('base64url') !== token) return undefined;
    const key = currentKey();
    if (previous !== undefined && nowMs() > previous.untilMs) previous = undefined;
    const text = decrypt(bytes, key) ?? (previous === undefined ? undefined : decrypt(bytes, previous.key));
    // Sealed here, by this version: it is what it was.
    return text === undefined ? undefined : (JSON.parse(text) as Sealed);
  }

  return {
    seal(grant) {
      const sealed: Sealed = { ...grant, expiresMs: nowMs() + ACCESS_TOKEN_MS };
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(CIPHER, currentKey(), nonce);
      const parts = [nonce, cipher.update(JSON.stringify(sealed)), cipher.final(), cipher.getAuthTag()];
      return Buffer.concat(parts).toString('base64url');
    },
    open(token, peer) {
      const sealed = unseal(token);
      if (sealed === undefined) {
        return { ok: false, why: { reason: REASONS.Malformed, message: 'Its access token is none of this peer.' } };
      }
      const { expiresMs, ...grant } = sealed;
      if (grant.peer !== peer) {
        const message = `${peer} has shown an access token of ${grant.peer}.`;
        return { ok: false, why: { reason: REASONS.PeerNameMismatch, message }, grant };
      }
      const leftMs = expiresMs - nowMs();
      if (leftMs >= 0 && leftMs <= ACCESS_TOKEN_MS + ACCESS_TOKEN_SKEW_MS) return { ok: true, grant };
      const message =
        leftMs < 0 ? 'Its access token has expired.' : 'Its access token comes from a clock that is ahead.';
      return { ok: false, why: { reason: REASONS.IngressDenied, message }, grant };
    },
  };
}

function decrypt(bytes: Buffer, key: Buffer): string | undefined {
  try {
    const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    const text = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES));
    return Buffer.concat([text, decipher.final()]).toString('utf8');
  } catch {
    return undefined;
  }
}
