/** Reads what a peer says of one export: strict about what it knows, deaf to what it does not. */
import * as v from 'valibot';
import { AppError } from '../api/errors.ts';
import { isLabel } from '../api/names.ts';
import { isTimestamp } from '../api/validation/timestamp.ts';
import type { ExportRecord } from '../api/record.ts';
import { HOSTNAMES_PER_RECORD_MAX, PORTS_PER_RECORD_MAX, RECORD_BYTES_MAX } from './limits.ts';

const label = v.pipe(v.string(), v.check(isLabel, 'must be an RFC 1123 label'));
const emptyOrLabel = v.pipe(
  v.string(),
  v.check((text) => text === '' || isLabel(text), 'must be empty or an RFC 1123 label'),
);
const short = v.pipe(v.string(), v.maxLength(253));
// Control characters never get beyond this point: names and values end in logs, files and terminals.
const printable = v.pipe(
  v.string(),
  v.maxLength(4096),
  v.regex(/^[^\p{Cc}\p{Cs}]*$/u, 'must not hold control characters'),
);
const timestamp = v.pipe(
  v.string(),
  v.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, 'must be RFC 3339 in UTC with second precision'),
  v.check(isTimestamp, 'must be a day that exists'),
);
const keyValues = v.pipe(
  v.record(v.pipe(printable, v.maxLength(317)), printable),
  v.check((map) => Object.keys(map).length <= 128, 'has more than 128 keys'),
);

const portNumber = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65535));

const port = v.object({
  name: emptyOrLabel,
  protocol: v.picklist(['TCP', 'UDP', 'SCTP']),
  port: portNumber,
  appProtocol: v.optional(v.pipe(printable, v.maxLength(253))),
});

const record = v.pipe(
  v.object({
    namespace: label,
    name: label,
    uid: v.pipe(short, v.regex(/^[A-Za-z0-9-]+$/, 'must be letters, digits and dashes')),
    type: v.picklist(['ClusterSetIP', 'Headless']),
    ports: v.pipe(v.array(port), v.maxLength(PORTS_PER_RECORD_MAX)),
    ipFamilies: v.optional(v.pipe(v.array(v.picklist(['IPv4', 'IPv6'])), v.maxLength(2))),
    sessionAffinity: v.optional(v.picklist(['None', 'ClientIP'])),
    sessionAffinityTimeoutSeconds: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(86_400))),
    internalTrafficPolicy: v.optional(v.picklist(['Cluster', 'Local'])),
    trafficDistribution: v.optional(v.pipe(printable, v.maxLength(63))),
    labels: v.optional(keyValues),
    annotations: v.optional(keyValues),
    defaultPort: v.optional(portNumber),
    createdAt: timestamp,
    readyEndpoints: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(1_000_000)),
    hostnames: v.optional(v.pipe(v.array(label), v.maxLength(HOSTNAMES_PER_RECORD_MAX))),
    requires: v.optional(v.pipe(v.array(v.pipe(printable, v.maxLength(63))), v.maxLength(16))),
  }),
  v.check(({ ports }) => new Set(ports.map(({ name }) => name)).size === ports.length, 'has two ports of one name'),
  v.check(
    ({ ports }) => new Set(ports.map(({ protocol, port }) => `${protocol}/${port}`)).size === ports.length,
    'has two ports of one protocol and number',
  ),
);

/**
 * Parses one record. Unknown members are dropped (shapes §1); an unknown `requires` stays, for the merge to refuse.
 *
 * @throws {AppError} `ERR_MALFORMED` naming the member; the message carries no value of the peer's.
 */
export function parseRecord(value: unknown): ExportRecord {
  if (Buffer.byteLength(JSON.stringify(value) ?? '') > RECORD_BYTES_MAX) {
    throw new AppError('ERR_MALFORMED', `record: is longer than ${RECORD_BYTES_MAX} bytes`);
  }
  const result = v.safeParse(record, value);
  if (result.success) return dropUndefined(result.output);
  const [issue] = result.issues;
  const rule =
    issue.type === 'check' || issue.type === 'regex' ? issue.message : `must be ${issue.expected ?? issue.type}`;
  throw new AppError('ERR_MALFORMED', `record: ${knownPath(issue.path)} ${rule}`);
}

/** The path up to the first key that the peer chose: map keys are its text. */
function knownPath(path: readonly { readonly key: unknown; readonly type: string }[] | undefined): string {
  const keys: string[] = [];
  for (const { key } of path ?? []) {
    keys.push(typeof key === 'number' ? `[${key}]` : String(key));
    if (key === 'labels' || key === 'annotations') break;
  }
  return keys.join('.').replaceAll('.[', '[') || 'value';
}

function dropUndefined(output: v.InferOutput<typeof record>): ExportRecord {
  return JSON.parse(JSON.stringify(output)) as ExportRecord;
}
