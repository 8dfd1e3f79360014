/** The audit log of a test API server: who wrote what. Reads, and what the server writes by itself, are not in it. */

/**
 * Metadata only. Reviews (SubjectAccessReview, TokenReview) are "created" without a write: left out.
 * https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/
 */
export const AUDIT_POLICY = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
  - { level: None, users: ['system:apiserver'] }
  - { level: None, verbs: [get, list, watch] }
  - { level: None, resources: [{ group: authorization.k8s.io }, { group: authentication.k8s.io }] }
  - { level: Metadata }
`;

export interface AuditEntry {
  readonly verb: 'create' | 'update' | 'patch' | 'delete' | 'deletecollection';
  readonly user: string;
  readonly userAgent: string;
  /** Empty for the core group. */
  readonly group: string;
  /** The plural, for example `services`. */
  readonly resource: string;
  /** For example `status`; empty for the object itself. */
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  /** The HTTP status of the answer: refused writes are here too. */
  readonly code: number;
  /** When the request came, RFC 3339 with microseconds. */
  readonly at: string;
}

interface AuditEvent {
  readonly verb: AuditEntry['verb'];
  readonly requestURI: string;
  readonly user: { readonly username: string };
  readonly userAgent?: string;
  readonly objectRef?: {
    readonly apiGroup?: string;
    readonly resource?: string;
    readonly subresource?: string;
    readonly namespace?: string;
    readonly name?: string;
  };
  readonly responseStatus?: { readonly code?: number };
  readonly requestReceivedTimestamp: string;
}

/** Every write in the log, in the order of their ends. Dry runs are no writes. A line still being written is left for later. */
export function parseAuditLog(text: string): readonly AuditEntry[] {
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as AuditEvent)
    .filter(({ requestURI }) => !new URL(requestURI, 'https://server').searchParams.has('dryRun'))
    .map(toEntry);
}

function toEntry({
  verb,
  user,
  userAgent = '',
  objectRef = {},
  responseStatus = {},
  requestReceivedTimestamp,
}: AuditEvent): AuditEntry {
  const { apiGroup: group = '', resource = '', subresource = '', namespace = '', name = '' } = objectRef;
  return {
    verb,
    user: user.username,
    userAgent,
    group,
    resource,
    subresource,
    namespace,
    name,
    code: responseStatus.code ?? 0,
    at: requestReceivedTimestamp,
  };
}
