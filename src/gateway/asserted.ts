/** What this peer says of its client to another: the other believes as much as its Peer object for us grants. Pure. */
import { isUnidentified, type ClientIdentity } from './client-identity.ts';
import { fitsSource, type Source } from './wire/source.ts';

/** What was said of a client that is the same still: one object for all its connections. */
const said = new WeakMap<ClientIdentity, { readonly source: Source }>();

/** Null, which is nothing at all, for a client that is not identified, and for one of which there is more than can be said. */
export function toAsserted(client: ClientIdentity): Source {
  const known = said.get(client);
  if (known !== undefined) return known.source;
  const source = describeClient(client);
  said.set(client, { source });
  return source;
}

function describeClient(client: ClientIdentity): Source {
  if (isUnidentified(client)) return null;
  const { namespace, serviceAccount, labels } = client;
  const labelled = Object.entries(labels).map(([key, value]) => [`labels.${key}`, value] as const);
  const source = { namespace, serviceAccount, ...Object.fromEntries(labelled) };
  return fitsSource(source) ? Object.freeze(source) : null;
}
