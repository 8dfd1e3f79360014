/** Who takes part in the demo of ClusterLink's manifests. `testing` runs no peer: the demo calls in its name. */
export type ClusterlinkPeer = 'east' | 'west' | 'testing';
