/** Which exported labels and annotations may cross to another peer; exporter and importer ask alike. */

/** Domains whose keys steer this product, other MCS implementations or Kubernetes itself (KEP-1645, IMP-28). */
const RESERVED_DOMAINS = ['kubernetes.io', 'k8s.io', 'x-k8s.io', 'clusterlink.net'];
/** Kubernetes recommends these labels to users (`app.kubernetes.io/name`), but who manages an object is not for export. */
const USERS_DOMAIN = 'app.kubernetes.io';
const MANAGED_BY_KEY = `${USERS_DOMAIN}/managed-by`;

const NAME = /^[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const DOMAIN = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;
const DOMAIN_CHARS_MAX = 253;

/** A key that an export must not set on an import. */
export function isReservedKey(key: string): boolean {
  const domain = domainOf(key);
  if (domain === undefined) return false;
  if (domain === USERS_DOMAIN) return key === MANAGED_BY_KEY;
  return RESERVED_DOMAINS.some((reserved) => domain === reserved || domain.endsWith(`.${reserved}`));
}

/** What the API server takes as the key of a label or annotation: a name, or `domain/name`. */
export function isQualifiedName(key: string): boolean {
  const domain = domainOf(key);
  if (domain === undefined) return NAME.test(key);
  return domain.length <= DOMAIN_CHARS_MAX && DOMAIN.test(domain) && NAME.test(key.slice(domain.length + 1));
}

/** What the API server takes as the value of a label. */
export function isLabelValue(value: string): boolean {
  return value === '' || NAME.test(value);
}

/** Exported labels without what an import cannot carry. */
export function exportableLabels(labels: Readonly<Record<string, string>> = {}): Record<string, string> {
  return pick(labels, (key, value) => isQualifiedName(key) && !isReservedKey(key) && isLabelValue(value));
}

/** Exported annotations without what an import cannot carry. */
export function exportableAnnotations(annotations: Readonly<Record<string, string>> = {}): Record<string, string> {
  return pick(annotations, (key) => isQualifiedName(key) && !isReservedKey(key));
}

/** In order of keys: two maps of one content are one text, whoever wrote them. */
function pick(
  map: Readonly<Record<string, string>>,
  isKept: (key: string, value: string) => boolean,
): Record<string, string> {
  const kept = Object.entries(map).filter(([key, value]) => isKept(key, value));
  return Object.fromEntries(kept.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function domainOf(key: string): string | undefined {
  const slash = key.indexOf('/');
  return slash === -1 ? undefined : key.slice(0, slash);
}
