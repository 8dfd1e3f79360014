/** What runs an API server: processes of this machine, or a container. `api-server.ts` knows only this. */
import type { CertificateAndKey } from '#src/fabric/authority.ts';

export interface BackendOptions {
  /** A folder of this server alone, empty at the start. */
  readonly folder: string;
  readonly serviceRange: string;
  /** Further flags of kube-apiserver, each `--name=value`. */
  readonly args: readonly string[];
}

export interface Backend {
  /** `https://127.0.0.1:PORT`, the same over every stop and start. */
  readonly url: string;
  /** PEM of the authority that signed the serving certificate. */
  readonly serverCa: string;
  /** Signs client certificates that the server believes. */
  readonly clientAuthority: CertificateAndKey;
  /** Starts kube-apiserver; readiness is the caller's to await. */
  start(): Promise<void>;
  stop(signal: NodeJS.Signals): Promise<void>;
  /** Why the server can never become ready, once that is so. */
  failure(): Promise<string | undefined>;
  /** Stops etcd in its tracks (in a container: everything), until `resume`. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** The audit log so far: one JSON object a line. */
  auditLog(): Promise<string>;
  /** What kube-apiserver has logged so far. */
  log(): Promise<string>;
  close(): Promise<void>;
}

/** Flags that a test's API server has wherever it runs. */
export function commonFlags({ serviceRange, args }: BackendOptions): readonly string[] {
  return [
    `--service-cluster-ip-range=${serviceRange}`,
    // Nobody makes the default service accounts here, so that a pod without one would be refused.
    '--disable-admission-plugins=ServiceAccount',
    ...args,
  ];
}
