/** A tar archive (POSIX.1-1988 ustar) whose bytes depend on names, modes and contents alone: no times, no owners, one order. */

export interface TarEntry {
  /** Relative, with '/'; of a folder without one at its end. */
  readonly path: string;
  readonly mode: number;
  /** Absent: a folder. */
  readonly content?: Uint8Array;
}

const BLOCK_BYTES = 512;
const NAME_BYTES = 100;
const PREFIX_BYTES = 155;
const CHECKSUM_AT = 148;

/** The archive in pieces, since contents are not copied. @throws {RangeError} for a path or a size that has no place in a header. */
export function toTar(entries: readonly TarEntry[]): Uint8Array[] {
  const sorted = [...entries].sort((a, b) => (a.path < b.path ? -1 : 1));
  const pieces = sorted.flatMap((entry) => {
    const { content = new Uint8Array() } = entry;
    const padding = new Uint8Array((BLOCK_BYTES - (content.length % BLOCK_BYTES)) % BLOCK_BYTES);
    return [toHeader(entry), content, padding];
  });
  return [...pieces, new Uint8Array(2 * BLOCK_BYTES)];
}

function toHeader({ path, mode, content }: TarEntry): Uint8Array {
  const isFolder = content === undefined;
  const [prefix, name] = splitPath(isFolder ? `${path}/` : path);
  const header = Buffer.alloc(BLOCK_BYTES);
  const number = (value: number, at: number, length: number): void => {
    const digits = value.toString(8).padStart(length - 1, '0');
    if (digits.length >= length) throw new RangeError(`${path}: ${value} does not fit into a tar header`);
    header.write(digits, at, 'latin1');
  };
  header.write(name, 0);
  number(mode, 100, 8);
  number(0, 108, 8); // owner
  number(0, 116, 8); // group
  number(content?.length ?? 0, 124, 12);
  number(0, 136, 12); // time
  header.write(isFolder ? '5' : '0', 156);
  header.write('ustar\0' + '00', 257);
  number(0, 329, 8); // device
  number(0, 337, 8);
  header.write(prefix, 345);
  // The sum is taken with spaces in its own place.
  header.fill(' ', CHECKSUM_AT, CHECKSUM_AT + 8);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, CHECKSUM_AT);
  return header;
}

/** A path of more than 100 bytes is cut at a '/'. */
function splitPath(path: string): [prefix: string, name: string] {
  if (Buffer.byteLength(path) <= NAME_BYTES) return ['', path];
  for (let slash = path.indexOf('/'); slash > 0; slash = path.indexOf('/', slash + 1)) {
    const [prefix, name] = [path.slice(0, slash), path.slice(slash + 1)];
    if (name !== '' && Buffer.byteLength(name) <= NAME_BYTES && Buffer.byteLength(prefix) <= PREFIX_BYTES) {
      return [prefix, name];
    }
  }
  throw new RangeError(`${path}: too long for a tar header`);
}
