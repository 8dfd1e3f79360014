/** The ports of an import as a Service and its EndpointSlices have them: pure. */
import { isQualifiedName } from '../../catalogue/exported-keys.ts';

export interface ImportPort {
  readonly name: string;
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  readonly port: number;
  readonly appProtocol?: string;
}

/**
 * Names for the ports of a Service, in their order: the import's, and made-up ones for ports without a name among several,
 * which an API server would refuse (mcs-api.md §4.3). Service and slices meet by these.
 */
export function servicePortNames(ports: readonly ImportPort[]): string[] {
  const taken = new Set(ports.map(({ name }) => name));
  return ports.map(({ name, protocol, port }) => {
    if (name !== '' || ports.length === 1) return name;
    let made = `${protocol.toLowerCase()}-${port}`;
    while (taken.has(made)) made = `${made}-0`;
    taken.add(made);
    return made;
  });
}

/** A peer may say any text, and an API server refuses a Service for one that is no qualified name. */
export function appProtocolOf({ appProtocol }: ImportPort): { appProtocol?: string } {
  return appProtocol === undefined || !isQualifiedName(appProtocol) ? {} : { appProtocol };
}
