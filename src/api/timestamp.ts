/** RFC 3339 with second precision, in UTC, as an API server writes it; sorts as text. Pure. */
export function toTimestamp(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
