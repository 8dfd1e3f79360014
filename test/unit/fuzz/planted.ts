/** A defect behind three conditions, each of which has to be found before the next can be. */
export function parsePlanted(bytes: Buffer): string {
  if (bytes[0] !== 0x7f) return 'nothing';
  if (bytes[1] !== 0x80) return 'one';
  if (bytes[2] !== 0xff) return 'two';
  throw new TypeError('planted');
}
