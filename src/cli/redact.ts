/** Takes out of values what nobody may read: somebody may have put a key where it does not belong. Pure. */

const LEFT_OUT = '[left out]';
const PATTERNS: readonly RegExp[] = [
  // To its end, or, where it was cut, to the end of the text.
  /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|$)/g,
  // RFC 6750 §2.1
  /(?<=\bbearer\s+)[A-Za-z0-9._~+/-]+=*/gi,
  // Credentials in a URL (RFC 3986 §3.2.1), as in the address of a proxy, and in a field of HTTP (RFC 7617).
  /(?<=\b[a-z][a-z0-9+.-]{1,30}:\/\/)[^\s/@"']+(?=@)/gi,
  /(?<=\bbasic\s+)[A-Za-z0-9+/]{8,}=*/gi,
  // A JSON Web Token, wherever it stands (RFC 7519 §3): its header begins with {".
  /\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*/g,
];

export function redactText(text: string): string {
  return PATTERNS.reduce((rest, pattern) => rest.replace(pattern, LEFT_OUT), text);
}

/** @param value - JSON. Keys of objects are redacted too. */
export function redact(value: unknown): unknown {
  if (typeof value === 'string') return redactText(value);
  if (Array.isArray(value)) return value.map(redact);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [redactText(key), redact(member)]));
}
