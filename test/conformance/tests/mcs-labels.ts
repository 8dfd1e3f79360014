/** Labels of imported EndpointSlices (EPS-03, EPS-04, EPS-06). */
export const MCS_SERVICE_NAME = 'multicluster.kubernetes.io/service-name';
export const MCS_SOURCE_CLUSTER = 'multicluster.kubernetes.io/source-cluster';
export const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by';
/** The stock controller: slices of ordinary Services. */
export const STOCK_MANAGER = 'endpointslice-controller.k8s.io';
