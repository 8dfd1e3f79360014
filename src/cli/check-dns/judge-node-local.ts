/** Whether NodeLocal DNSCache, which stands between pods and CoreDNS, comes to the zones too. Pure. */
import { describeObject } from '../../api/object.ts';
import type { DnsFinding } from './findings.ts';
import { isUnread, type ClusterObservation } from './observation.ts';
import { dataOf, stubDomainWirings } from './other-dns.ts';
import { readServers } from './servers.ts';
import { leadsTo, parseTarget } from './targets.ts';
import { placeOf, wiringsOf, type Wiring } from './wiring.ts';
import { unreadableFinding, type ZoneQuestion } from './judge-zone.ts';

/** For which each node's cache puts the address of the cluster's DNS. */
const CLUSTER_DNS = '__PILLAR__CLUSTER__DNS__';
const ABOUT = 'NodeLocal DNSCache';

export function judgeNodeLocal({ observed, zones, proposals }: ZoneQuestion): DnsFinding[] {
  const { nodeLocal } = observed;
  if (nodeLocal === undefined) return [];
  const { configMap } = nodeLocal;
  if (isUnread(configMap)) {
    const found = `runs, and its ConfigMap kube-system/node-local-dns cannot be read: ${configMap.unread}`;
    const fix = 'run this command as an administrator of the cluster';
    return [{ result: 'failed', code: 'CorefileUnreadable', about: ABOUT, found, fix }];
  }
  const { Corefile: text = '' } = dataOf(configMap);
  const { servers, problems } = readServers({ origin: describeObject(configMap), text });
  if (problems.length > 0) return problems.map(unreadableFinding);
  const isRight = leadsTowards(observed);
  const found = zones.map((zone) => {
    const { effective } = wiringsOf(servers, { zone, isOurs: isRight });
    // It makes blocks of them itself, but not where the Corefile has one.
    return {
      zone,
      wirings: effective.length > 0 ? effective : stubDomainWirings(nodeLocal.stubDomains, zone).effective,
    };
  });
  const missing = found.filter(({ wirings }) => wirings.length === 0).map(({ zone }) => zone);
  const elsewhere = found.flatMap(({ zone, wirings }) => wirings.flatMap((wiring) => judgeTargets(zone, wiring)));

  function judgeTargets(zone: string, wiring: Wiring): DnsFinding[] {
    const wrong = wiring.targets.filter((target) => !isRight(target));
    if (wrong.length === 0) return [];
    const change = proposals.redirect(observed, wiring, wrong);
    return [
      {
        result: 'failed',
        code: 'NodeLocalElsewhere',
        about: `${ABOUT}, zone ${zone}`,
        found: `forwards to ${wrong.join(', ')} (${placeOf(wiring)}), neither the responder nor the cluster's DNS`,
        fix: 'put the address of the responder there; a fixed one (coredns/dns-service.yaml) outlives a Service that is made anew',
        ...(change === undefined ? {} : { change }),
      },
    ];
  }

  if (missing.length === 0) {
    if (elsewhere.length > 0) return elsewhere;
    return [{ result: 'ok', code: 'Wired', about: ABOUT, found: `has its own way to ${zones.join(', ')}` }];
  }
  const change = proposals.wireNodeLocal(observed, missing);
  return [
    {
      result: 'failed',
      code: 'NodeLocalNotWired',
      about: `${ABOUT}, zone ${missing.join(', ')}`,
      found: "has no block for it: it sends these names out of the cluster, past the cluster's DNS",
      fix: 'apply what stands below, and: kubectl -n kube-system rollout restart daemonset node-local-dns',
      ...(change === undefined ? {} : { change }),
    },
    ...elsewhere,
  ];
}

/** To the responder, or to the DNS of the cluster, which goes on from there. */
function leadsTowards({ responder, dns }: ClusterObservation): (target: string) => boolean {
  const isOurs = leadsTo(responder);
  const clusterDns = dns.kind === 'coredns' ? dns.serviceAddresses : [];
  return (target) =>
    target === CLUSTER_DNS || isOurs(target) || clusterDns.includes(parseTarget(target)?.address ?? '');
}
