/** Whether the responder answers those who forward to it: `dns.clients` against where they ask from. Pure. */
import { parseDocument } from 'yaml';
import { SYSTEM_NAMESPACE } from '../../api/names.ts';
import type { Manifest } from '../deploy/manifests.ts';
import { objectChange, type Change, type DnsFinding } from './findings.ts';
import { areWithin } from './networks.ts';
import { isUnread, type ClusterObservation, type ResponderSettings } from './observation.ts';
import { dataOf, withData } from './other-dns.ts';
import { RESTART_RESPONDER } from './proposals.ts';

const ABOUT = 'dns.clients';
const KEY = 'peer.yaml';

export function judgeClients(observed: ClusterObservation): DnsFinding[] {
  const { settings } = observed;
  if (isUnread(settings)) {
    const found = `the configuration of the responder could not be read: ${settings.unread}`;
    const fix = `look at ConfigMap ${SYSTEM_NAMESPACE}/clusterlink-mcs: it must have where CoreDNS asks from`;
    return [{ result: 'warning', code: 'ClientsUnknown', about: ABOUT, found, fix }];
  }
  const isMissing = ({ network }: AskedFrom): boolean => !areWithin(network, settings.clients);
  const { now, later } = askedFrom(observed);
  const missingNow = now.filter(isMissing);
  const missingLater = later.filter(isMissing);
  // A range says all that its addresses do.
  const isCovered = ({ network }: AskedFrom): boolean =>
    areWithin(
      network,
      missingLater.map((range) => range.network),
    );
  const missing = [...missingLater, ...missingNow.filter((asker) => !isCovered(asker))];
  if (missing.length === 0) return [];
  const networks = [...new Set(missing.map(({ network }) => network))];
  const change = settings.configMap === undefined ? undefined : withClients(settings.configMap, settings, networks);
  const said = missing.map(({ who, network }) => `${network} (${who})`);
  return [
    {
      result: missingNow.length > 0 ? 'failed' : 'warning',
      code: 'ClientsNotAnswered',
      about: ABOUT,
      found: `has not ${said.join(', ')}: queries from there get silence`,
      fix:
        change === undefined
          ? `add ${networks.join(', ')} where the Deployment clusterlink-mcs-dns has dns.clients`
          : `apply what stands below, and: ${RESTART_RESPONDER}`,
      ...(change === undefined ? {} : { change }),
    },
  ];
}

interface AskedFrom {
  readonly who: string;
  /** An address, or the network of several. */
  readonly network: string;
}

/** Where queries come from now, and where they may when CoreDNS is moved. */
function askedFrom({
  dns,
  nodeLocal,
  podRanges,
  nodeAddresses,
}: ClusterObservation): Record<'now' | 'later', AskedFrom[]> {
  const pods = dns.kind === 'coredns' || dns.kind === 'kube-dns' ? dns.askers : [];
  const areOnNodes = pods.some(({ isOnHostNetwork }) => isOnHostNetwork);
  const nodes = nodeAddresses.map((network) => ({ who: 'a node', network }));
  return {
    now: [
      ...pods.map(({ name, address }) => ({ who: name, network: address })),
      ...(areOnNodes || nodeLocal !== undefined ? nodes : []),
    ],
    later: areOnNodes ? [] : podRanges.map((network) => ({ who: 'pods', network })),
  };
}

/** With the comments that stand in it. */
function withClients(configMap: Manifest, { clients }: ResponderSettings, networks: readonly string[]): Change {
  const document = parseDocument(dataOf(configMap)[KEY] ?? '');
  document.setIn(['dns', 'clients'], document.createNode([...clients, ...networks], { flow: true }));
  return objectChange(withData(configMap, { [KEY]: document.toString({ lineWidth: 0 }) }));
}
