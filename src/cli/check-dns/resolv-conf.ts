/** resolv.conf, as the C library reads it, and which names it asks for. Pure. */
import { isIP } from 'node:net';
import { RESOLVERS_MAX, SEARCH_MAX } from './limits.ts';
import { canonicalName } from '../../dns/name.ts';

export interface ResolvConf {
  /** In the order in which they are asked. */
  readonly nameservers: readonly string[];
  /** Without trailing dots. */
  readonly search: readonly string[];
  /** A name with fewer dots is tried below the search list first. */
  readonly ndots: number;
}

/** resolv.conf(5): what holds without a line that says otherwise. */
const NAMESERVER_DEFAULT = '127.0.0.1';
const NDOTS_DEFAULT = 1;
const NDOTS_MAX = 15;

export function parseResolvConf(text: string): ResolvConf {
  const nameservers: string[] = [];
  let search: string[] = [];
  let ndots = NDOTS_DEFAULT;
  for (const line of text.split('\n')) {
    if (/^[;#]/.test(line)) continue;
    const [keyword, ...words] = line.trim().split(/\s+/);
    if (keyword === 'nameserver' && isIP(words[0]?.split('%')[0] ?? '') !== 0) nameservers.push(words[0] ?? '');
    // Of both the last line counts.
    if (keyword === 'search') search = words;
    if (keyword === 'domain') search = words.slice(0, 1);
    if (keyword === 'options') {
      for (const word of words) {
        const [, digits] = /^ndots:(\d{1,3})$/.exec(word) ?? [];
        if (digits !== undefined) ndots = Math.min(Number(digits), NDOTS_MAX);
      }
    }
  }
  return {
    nameservers: (nameservers.length === 0 ? [NAMESERVER_DEFAULT] : nameservers).slice(0, RESOLVERS_MAX),
    search: search.map(canonicalName).filter(Boolean).slice(0, SEARCH_MAX),
    ndots,
  };
}

/** What is asked for, in order, until one has an answer: for a name that is written without the trailing dot. */
export function namesAskedFor(name: string, { search, ndots }: ResolvConf): string[] {
  const dots = name.split('.').length - 1;
  const below = search.map((suffix) => `${name}.${suffix}`);
  return dots >= ndots ? [name, ...below] : [...below, name];
}

/** `cluster.local` in a pod, out of `NAMESPACE.svc.cluster.local svc.cluster.local ...`; undefined elsewhere. */
export function clusterDomainOf({ search }: ResolvConf): string | undefined {
  return search.find((suffix) => suffix.startsWith('svc.'))?.slice('svc.'.length);
}
