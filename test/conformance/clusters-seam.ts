/** Clusters of our own, with the product in them: the one thing the suite knows of it, loaded only when it is wanted. */

export interface Installed {
  /** A file, or several as in KUBECONFIG. */
  readonly kubeconfig: string;
  readonly contexts: readonly string[];
}

/** Brings clusters up, installs, calls `run`, takes the clusters down whatever comes of it, and gives what `run` gave. */
export type WithInstalledClusters = (run: (installed: Installed) => Promise<number>) => Promise<number>;

const INSTALL = new URL('../e2e/install.ts', import.meta.url).href;

export const withInstalledClusters: WithInstalledClusters = async (run) => {
  const loaded: unknown = await import(INSTALL);
  if (!isInstaller(loaded)) throw new Error('test/e2e/install.ts does not export withInstalledClusters');
  return loaded.withInstalledClusters(run);
};

const isInstaller = (value: unknown): value is { withInstalledClusters: WithInstalledClusters } =>
  typeof value === 'object' &&
  value !== null &&
  'withInstalledClusters' in value &&
  typeof value.withInstalledClusters === 'function';
