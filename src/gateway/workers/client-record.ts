/** Who has which address, as the control part last said: for workers that begin later. */
import type { ClientIdentity } from '../client-identity.ts';
import type { ClientsMessage } from '../client-table.ts';

export interface ClientRecord {
  apply(message: ClientsMessage): void;
  /** What a new worker has to be told; nothing where nobody was named yet. */
  messages(): readonly ClientsMessage[];
}

export function makeClientRecord(): ClientRecord {
  const byAddress = new Map<string, ClientIdentity>();
  let isTold = false;
  return {
    apply({ full, set, remove }) {
      isTold = true;
      if (full) byAddress.clear();
      for (const address of remove) byAddress.delete(address);
      for (const [address, identity] of set) byAddress.set(address, identity);
    },
    messages: () => (isTold ? [{ kind: 'clients', full: true, set: [...byAddress], remove: [] }] : []),
  };
}
