/** Who takes part in the demo of MCS manifests. */
export type McsPeer = 'east' | 'west' | 'south';
