/** What the exporter has beside the sample: the Service that its Export names, and its own yes. */

/** Service `prod/cart-api`, as a cluster has it, plus where it listens on this machine. */
export function serviceCartApi(endpointPort: number): string {
  return `apiVersion: v1
kind: Service
metadata:
  name: cart-api
  namespace: prod
  annotations:
    mcs.clusterlink.net/endpoints: 127.0.0.1:${endpointPort}
spec:
  ports: [{protocol: TCP, port: 8080}]
`;
}

/** Who may use the exports of namespace `prod`: everybody, since the tier above has refused \`testing\`. */
export function admission(action: 'allow' | 'deny'): string {
  return `apiVersion: clusterlink.net/v1alpha1
kind: AccessPolicy
metadata: {name: fabric-to-cart, namespace: prod}
spec:
  action: ${action}
  from: [{workloadSelector: {}}]
  to: [{workloadSelector: {matchLabels: {export.clusterlink.net/labels.tier: gold}}}]
`;
}
