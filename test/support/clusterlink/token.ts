/** Access tokens of §3.5: compact JWS with HS256, three claims, five seconds; only the exporter reads them. */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** `exp` is so many whole seconds ahead; without leeway that makes four to five. */
export const TOKEN_LIFE_SECONDS = 5;
const HEADER = encode({ alg: 'HS256', typ: 'JWT' });

export interface Claims {
  readonly exp: number;
  readonly export_name: string;
  readonly export_namespace: string;
}

/** What all replicas of a peer share as Secret `jwk`. */
export function makeTokenKey(): Buffer {
  return randomBytes(32);
}

export function mintToken(
  key: Buffer,
  { namespace, name, nowMs }: { readonly namespace: string; readonly name: string; readonly nowMs: number },
): string {
  const exp = Math.floor(nowMs / 1000) + TOKEN_LIFE_SECONDS;
  return signClaims(key, { exp, export_name: name, export_namespace: namespace });
}

export function signClaims(key: Buffer, claims: Claims): string {
  const signed = `${HEADER}.${encode(claims)}`;
  return `${signed}.${signatureOf(key, signed).toString('base64url')}`;
}

/** @returns the export it is for, or undefined: not ours, too old, or not a token. */
export function readToken(
  key: Buffer,
  token: string,
  nowMs: number,
): { readonly namespace: string; readonly name: string } | undefined {
  const match = /^([\w-]+)\.([\w-]+)\.([\w-]+)$/.exec(token);
  if (match === null || match[1] !== HEADER) return undefined;
  const given = Buffer.from(match[3] ?? '', 'base64url');
  const wanted = signatureOf(key, `${match[1]}.${match[2]}`);
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return undefined;
  // Signed here, so its shape is ours.
  const claims = JSON.parse(Buffer.from(match[2] ?? '', 'base64url').toString()) as Claims;
  if (nowMs >= claims.exp * 1000) return undefined;
  return { namespace: claims.export_namespace, name: claims.export_name };
}

function signatureOf(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
