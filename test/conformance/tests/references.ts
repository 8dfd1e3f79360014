/** The sections of KEP-1645 that the tests hold; they stand in the report. */
const KEP =
  'https://github.com/kubernetes/enhancements/tree/master/keps/sig-multicluster/1645-multi-cluster-services-api';

export const REF = {
  exporting: `${KEP}#exporting-services`,
  importing: `${KEP}#importing-services`,
  clustersetIp: `${KEP}#clustersetip`,
  serviceTypes: `${KEP}#service-types`,
  dns: `${KEP}#dns`,
  endpointSlices: `${KEP}#using-endpointslice-objects-to-track-endpoints`,
  conflicts: `${KEP}#constraints-and-conflict-resolution`,
  globalProperties: `${KEP}#global-properties`,
  ports: `${KEP}#service-port`,
  headlessness: `${KEP}#headlessness`,
  sessionAffinity: `${KEP}#session-affinity`,
} as const;
