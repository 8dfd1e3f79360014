/** Reads what BIND's nslookup prints (netshoot carries it). Pure. */
import { SocketAddress, isIP } from 'node:net';

/** One spelling for each address, so that fd00:0:0::1 and fd00::1 are the same. Anything else stays as it is. */
export function toCanonicalAddress(text: string): string {
  switch (isIP(text)) {
    case 4:
      return text;
    case 6:
      return new SocketAddress({ address: text, family: 'ipv6' }).address;
    default:
      return text;
  }
}

/**
 * The addresses of the answer, sorted, each once. The server's own address, which comes first, is not one of them: a plain search in
 * the text would find 10.96.0.1 in the server's 10.96.0.10#53.
 */
export function parseAddresses(output: string): string[] {
  const addresses = new Set<string>();
  let inAnswer = false;
  for (const line of output.split(/\r?\n/)) {
    if (/^Name:\s/.test(line)) inAnswer = true;
    // Older releases word an AAAA record like this, without a Name line.
    const address =
      /\shas AAAA address (\S+)\s*$/.exec(line)?.[1] ??
      (inAnswer ? /^Address:\s*(\S+)\s*$/.exec(line)?.[1] : undefined);
    if (address !== undefined && isIP(address) !== 0) addresses.add(toCanonicalAddress(address));
  }
  return [...addresses].sort();
}

export interface SrvRecord {
  /** Undefined if the line is not an SRV record. */
  readonly port: number | undefined;
  /** Without the final dot. */
  readonly target: string;
}

/**
 * Every line with a value, as the official suite counts them: `name  service = 0 100 42 target.` is a record, and so is a line like
 * `internet address = 10.0.0.1`, which nslookup prints from the additional section of an answer that is not authoritative (DNS-27).
 */
export function parseSrvRecords(output: string): SrvRecord[] {
  const records: SrvRecord[] = [];
  for (const line of output.split(/\r?\n/)) {
    const value = /=\s*([^=]*)$/.exec(line)?.[1]?.trim();
    if (value === undefined) continue;
    const fields = /^\d+\s+\d+\s+(\d+)\s+(\S+)$/.exec(value);
    const [port, target] = fields === null ? [undefined, value] : [Number(fields[1]), fields[2] ?? ''];
    records.push({ port, target: target.replace(/\.$/, '') });
  }
  return records;
}
