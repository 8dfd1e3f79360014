/** Writes a tar archive (POSIX ustar): enough for files of text with short names. Pure. */

export interface TarEntry {
  /** ASCII, at most 100 characters. */
  readonly name: string;
  readonly content: Buffer;
}

const BLOCK_BYTES = 512;
const NAME_BYTES_MAX = 100;
/** A checksum is the sum over the header with its own field as spaces. */
const CHECKSUM_AT = 148;

export function makeTar(entries: readonly TarEntry[], mtimeSeconds: number): Buffer {
  const blocks = entries.flatMap(({ name, content }) => {
    const rest = content.length % BLOCK_BYTES;
    return [
      header({ name, size: content.length, mtimeSeconds }),
      content,
      Buffer.alloc(rest === 0 ? 0 : BLOCK_BYTES - rest),
    ];
  });
  // Two empty blocks end it.
  return Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK_BYTES)]);
}

function header({ name, size, mtimeSeconds }: { name: string; size: number; mtimeSeconds: number }): Buffer {
  if (Buffer.byteLength(name) > NAME_BYTES_MAX) throw new RangeError(`tar: the name ${name} is too long`);
  const block = Buffer.alloc(BLOCK_BYTES);
  const octal = (value: number, digits: number): string => `${value.toString(8).padStart(digits, '0')}\0`;
  block.write(name, 0);
  block.write(octal(0o600, 7), 100);
  block.write(octal(0, 7), 108);
  block.write(octal(0, 7), 116);
  block.write(octal(size, 11), 124);
  block.write(octal(mtimeSeconds, 11), 136);
  block.write(' '.repeat(8), CHECKSUM_AT);
  block.write('0', 156);
  block.write('ustar\x0000', 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, CHECKSUM_AT);
  return block;
}
