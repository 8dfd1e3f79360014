/** ClusterLink's own data planes: started from a folder that holds its programs, as its two control planes need them. */
import { existsSync } from 'node:fs';
import type { Candidate } from './system.ts';

const NAMES = ['clusterlink-go', 'clusterlink-envoy'] as const;

/**
 * What starts ClusterLink's programs registers here: it gets the folder of `--clusterlink` and gives what it can start. ClusterLink
 * is compared with its control planes and full authorisation, which need an API server each.
 */
export type ClusterlinkHarness = (folder: string) => readonly Candidate[];

export function findClusterlinks(folder: string | undefined, harness?: ClusterlinkHarness): readonly Candidate[] {
  if (folder === undefined) return absent('its programs are not given: --clusterlink DIR');
  if (!existsSync(folder)) return absent(`there is no folder ${folder}`);
  return harness?.(folder) ?? absent('this build has nothing that starts its programs');
}

function absent(why: string): readonly Candidate[] {
  return NAMES.map((name) => ({ name, absent: why }));
}
