/**
 * Manifests as users of ClusterLink have them, with every kind that they write. They are applied byte for byte: the two
 * addresses of `west` are behind the demo's proxy (`internet.ts`), and everything else is free to be called what it is called.
 */

/** At the importer. */
export const peerWest = `apiVersion: clusterlink.net/v1alpha1
kind: Peer
metadata: {name: west, namespace: clusterlink-system}
spec: {gateways: [{host: 192.0.2.10, port: 443}, {host: gw2.west.example, port: 30443}]}
`;

/** At the exporter. */
export const exportCartApi = `apiVersion: clusterlink.net/v1alpha1
kind: Export
metadata: {name: cart-api, namespace: prod, labels: {tier: gold}}
spec: {port: 8080}            # optional: host: db.internal.example
`;

/** At the importer. */
export const importCart = `apiVersion: clusterlink.net/v1alpha1
kind: Import
metadata: {name: cart, namespace: shop, labels: {import.clusterlink.net/merge: "false"}}
spec:
  port: 80
  lbScheme: static            # optional; targetPort optional
  sources:
  - {peer: west, exportName: cart-api, exportNamespace: prod}
`;

/** At the importer. */
export const uiToCart = `apiVersion: clusterlink.net/v1alpha1
kind: AccessPolicy
metadata: {name: ui-to-cart, namespace: shop}
spec:
  action: allow
  from: [{workloadSelector: {matchLabels: {client.clusterlink.net/service-account: front}}}]
  to: [{workloadSelector: {matchExpressions: [{key: export.clusterlink.net/name, operator: In, values: [cart-api]}]}}]
`;

/** At both. */
export const noTesting = `apiVersion: clusterlink.net/v1alpha1
kind: PrivilegedAccessPolicy
metadata: {name: no-testing}
spec:
  action: deny
  from: [{workloadSelector: {matchLabels: {peer.clusterlink.net/name: testing}}}]
  to: [{workloadSelector: {}}]
`;
