/** `--store`: where objects live, `dir:PATH` for a folder of manifests or `kubernetes[:KUBECONFIG]` for an API server. */
import { AppError } from '../api/errors.ts';

export type StoreArgument =
  | { readonly home: 'directory'; readonly path: string }
  /** Without a file: KUBECONFIG, else the service account of the pod. */
  | { readonly home: 'kubernetes'; readonly kubeconfig?: string };

/** @throws {AppError} `ERR_USAGE` */
export function parseStore(text: string): StoreArgument {
  const [, scheme = '', path] = /^(dir|kubernetes)(?::(.+))?$/.exec(text) ?? [];
  if (scheme === 'dir' && path !== undefined) return { home: 'directory', path };
  if (scheme === 'kubernetes') return { home: 'kubernetes', ...(path === undefined ? {} : { kubeconfig: path }) };
  throw new AppError('ERR_USAGE', `--store: ${JSON.stringify(text)} is neither dir:PATH nor kubernetes[:KUBECONFIG]`, {
    fix: 'write it like dir:./manifests, or kubernetes inside a cluster',
  });
}

/** The folder, for commands that write manifests. @throws {AppError} `ERR_USAGE` */
export function parseFolder(text: string): string {
  const store = parseStore(text);
  if (store.home === 'directory') return store.path;
  throw new AppError('ERR_USAGE', `--store: ${JSON.stringify(text)} is not dir:PATH`, {
    fix: 'for a cluster, print the manifests with --dry-run and apply them with kubectl',
  });
}
