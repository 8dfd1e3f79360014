/** What this peer says of its client to another: the other believes as much as its Peer object for us grants. Pure. */
import { isUnidentified, type ClientIdentity } from './client-identity.ts';
import { fitsSource, type Source } from './wire/source.ts';

/** Null, which is nothing at all, for a client that is not identified, and for one of which there is more than can be said. */
export function toAsserted(client: ClientIdentity): Source {
  if (isUnidentified(client)) return null;
  const { namespace, serviceAccount, labels } = client;
  const labelled = Object.entries(labels).map(([key, value]) => [`labels.${key}`, value] as const);
  const said = { namespace, serviceAccount, ...Object.fromEntries(labelled) };
  return fitsSource(said) ? said : null;
}
