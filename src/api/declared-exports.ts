/** Exports that the local Peer object says a peer has, for peers that tell no records: the text of its annotation. Pure. */
import { isLabel } from './names.ts';
import { isPort, PORT_MAX } from './validation/addresses.ts';
import { DECLARED_EXPORTS_MAX } from './validation/limits.ts';
import { quote } from './validation/quote.ts';

export interface DeclaredExport {
  readonly namespace: string;
  readonly name: string;
  /** TCP, as the import has it: the peer itself knows which port of its own that is. */
  readonly port: number;
}

export type ParsedExports =
  | { readonly ok: true; readonly exports: readonly DeclaredExport[] }
  | { readonly ok: false; readonly message: string; readonly fix: string };

const ENTRY = /^([^/:]+)\/([^/:]+):(\d{1,5})$/;
const WRITE_IT = 'Write it like "shop/db:5432, sales/web:80"; delete it to declare nothing.';

/** One wrong entry makes all of them wrong: half of a list would be a withdrawal of the other half. */
export function parseDeclaredExports(text: string): ParsedExports {
  const entries = text.split(',', DECLARED_EXPORTS_MAX + 1).map((entry) => entry.trim());
  if (entries.length > DECLARED_EXPORTS_MAX) {
    const fix = 'Declare what is imported by rules; an Import needs no declaration.';
    return { ok: false, message: `declares more than ${DECLARED_EXPORTS_MAX} exports`, fix };
  }
  const byName = new Map<string, DeclaredExport>();
  for (const entry of entries) {
    const [, namespace = '', name = '', digits = ''] = ENTRY.exec(entry) ?? [];
    if (!isLabel(namespace) || !isLabel(name)) {
      return {
        ok: false,
        message: `must be a comma-separated list of namespace/name:port, has ${quote(entry)}`,
        fix: WRITE_IT,
      };
    }
    const port = Number(digits);
    if (!isPort(port)) {
      return {
        ok: false,
        message: `a port must be between 1 and ${PORT_MAX}, is ${digits} in ${quote(entry)}`,
        fix: WRITE_IT,
      };
    }
    const key = `${namespace}/${name}`;
    if (byName.has(key)) {
      const fix = 'Keep one entry for each export: in ClusterLink an export has one port.';
      return { ok: false, message: `declares ${quote(key)} twice`, fix };
    }
    byName.set(key, { namespace, name, port });
  }
  return { ok: true, exports: [...byName.values()] };
}
