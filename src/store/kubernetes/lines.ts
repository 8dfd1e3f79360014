/** Lines of a stream of bytes: the events of a watch are one JSON text a line. */

const NEWLINE = 0x0a;

/** A line that is longer than any event can be: the stream makes no sense any more. */
export class LineTooLongError extends Error {
  override readonly name = 'LineTooLongError';
}

/**
 * Complete, non-empty lines without their end. What follows the last newline is no line: a stream that is cut ends in half an
 * event.
 *
 * @throws {LineTooLongError} for a line of more than `bytesMax` bytes, before all of it is in memory.
 */
export async function* splitLines(chunks: AsyncIterable<Uint8Array>, bytesMax: number): AsyncGenerator<string> {
  let parts: Uint8Array[] = [];
  let partBytes = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      parts.push(chunk.subarray(start, end));
      if (partBytes + end - start > bytesMax) throw new LineTooLongError(`more than ${bytesMax} bytes`);
      const line = Buffer.concat(parts).toString('utf8').trim();
      [parts, partBytes, start] = [[], 0, end + 1];
      if (line !== '') yield line;
    }
    partBytes += chunk.length - start;
    if (partBytes > bytesMax) throw new LineTooLongError(`more than ${bytesMax} bytes`);
    if (start < chunk.length) parts.push(chunk.subarray(start));
  }
}
