/** Who local clients are, as the data plane knows it: one identity for a host, a table by address in a cluster. */
import { canonicalAddress } from '../api/addresses.ts';
import type { Asker } from './asker.ts';
import type { ClientIdentity } from './client-identity.ts';
import type { Home } from './home.ts';
import { CLIENT_WAIT_MS, CLIENT_WAITERS_MAX } from './limits.ts';
import type { DownMessage } from './messages.ts';

export type ClientsMessage = Extract<DownMessage, { kind: 'clients' }>;

export interface ClientTable {
  /** Who has this address now. */
  at(address: string): ClientIdentity;
  /**
   * The same, for a connection that has just come: its pod may be so new that the watch has not told of it. Waits at most
   * {@link CLIENT_WAIT_MS}, or until its asker is gone; not at all for one that is known.
   */
  identify(address: string, asker: Asker): ClientIdentity | Promise<ClientIdentity>;
  /** Returns the addresses whose identity is another one than before. */
  apply(message: ClientsMessage): ReadonlySet<string>;
}

const NOBODY: ClientIdentity = { unidentified: 'no-pod' };

export function makeClientTable(home: Home): ClientTable {
  if (home.kind === 'standalone') {
    const { client } = home;
    return { at: () => client, identify: () => client, apply: () => new Set() };
  }
  const byAddress = new Map<string, ClientIdentity>();
  const waiting = new Map<string, Set<() => void>>();
  let waiters = 0;

  const at = (address: string): ClientIdentity => byAddress.get(canonicalAddress(address)) ?? NOBODY;

  function wait(address: string, asker: Asker): Promise<void> {
    return new Promise((resolve) => {
      const present = waiting.get(address) ?? new Set<() => void>();
      const done = (): void => {
        clearTimeout(timer);
        forget();
        present.delete(done);
        if (present.size === 0) waiting.delete(address);
        waiters--;
        resolve();
      };
      const timer = setTimeout(done, CLIENT_WAIT_MS);
      const forget = asker.onGone(done);
      waiting.set(address, present.add(done));
      waiters++;
    });
  }

  return {
    at,
    identify(address, asker) {
      const canonical = canonicalAddress(address);
      // Beyond the bound it is nobody at once: fail closed, and do not hold sockets for a flood.
      if (byAddress.has(canonical) || waiters >= CLIENT_WAITERS_MAX || asker.isGone) return at(canonical);
      return wait(canonical, asker).then(() => at(canonical));
    },
    apply({ full, set, remove }) {
      const changed = new Set<string>(remove.filter((address) => byAddress.has(address)));
      const named = new Set(set.map(([address]) => address));
      if (full) for (const address of byAddress.keys()) if (!named.has(address)) changed.add(address);
      for (const address of changed) byAddress.delete(address);
      for (const [address, identity] of set) {
        if (JSON.stringify(byAddress.get(address)) === JSON.stringify(identity)) continue;
        byAddress.set(address, identity);
        changed.add(address);
      }
      for (const address of changed) for (const done of [...(waiting.get(address) ?? [])]) done();
      return changed;
    },
  };
}
