/** The manifests of the demo, as a user would write them. */

/** Service and ServiceExport `shop/NAME`: standard MCS, plus where the Service listens on this machine. */
export function exportedService(name: string, servicePort: number, endpointPort: number): string {
  return `apiVersion: v1
kind: Service
metadata:
  name: ${name}
  namespace: shop
  annotations:
    mcs.clusterlink.net/endpoints: 127.0.0.1:${endpointPort}
spec:
  ports:
    - name: main
      protocol: TCP
      port: ${servicePort}
---
apiVersion: multicluster.x-k8s.io/v1beta1
kind: ServiceExport
metadata:
  name: ${name}
  namespace: shop
`;
}

/** Who may use the exports of namespace \`shop\`. */
export function admission(action: 'allow' | 'deny'): string {
  return `apiVersion: clusterlink.net/v1alpha1
kind: AccessPolicy
metadata:
  name: west-may-use-shop
  namespace: shop
spec:
  action: ${action}
  from:
    - workloadSelector:
        matchLabels:
          peer.clusterlink.net/name: west
  to:
    - workloadSelector: {}
`;
}

/** The local statement that makes exports of east and south into names here. */
export const importRule = `apiVersion: mcs.clusterlink.net/v1alpha1
kind: ClusterImportRule
metadata:
  name: shop-into-store
spec:
  peers:
    names: [east, south]
  exports:
    namespaces: [shop]
    names: [db, web]
  into:
    namespace: store
`;
