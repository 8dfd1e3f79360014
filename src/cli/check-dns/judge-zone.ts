/** Whether the DNS of a cluster comes to the zones, in which way, and whether that way is whole. Pure. */
import { SYSTEM_NAMESPACE } from '../../api/names.ts';
import { describeObject } from '../../api/object.ts';
import type { DnsFinding } from './findings.ts';
import type { ClusterObservation, CoreDns } from './observation.ts';
import { RESTART_COREDNS, type Proposals } from './proposals.ts';
import { readServers, type Servers } from './servers.ts';
import { formatTarget, leadsTo } from './targets.ts';
import { dataOf, operatorWirings, stubDomainWirings } from './other-dns.ts';
import { placeOf, wiringsOf, type Wiring, type WiringsOf } from './wiring.ts';

export interface ZoneQuestion {
  readonly observed: ClusterObservation;
  /** In lower case, without the trailing dot. */
  readonly zones: readonly string[];
  readonly proposals: Proposals;
}

export function judgeZone(question: ZoneQuestion): DnsFinding[] {
  const { observed, zones, proposals } = question;
  const { dns } = observed;
  if (dns.kind === 'unknown') {
    const fix = `forward ${zones.join(', ')} to the ClusterIP of Service ${SYSTEM_NAMESPACE}/clusterlink-mcs-dns there, as coredns/README.md has it`;
    return [{ result: 'warning', code: 'ClusterDnsUnknown', about: "the cluster's DNS", found: dns.why, fix }];
  }
  const isOurs = leadsTo(observed.responder);
  const read = dns.kind === 'coredns' ? readCoreDns(dns) : undefined;
  const unreadable = read?.problems.map(unreadableFinding) ?? [];
  // Half a Corefile would be a guess.
  if (unreadable.length > 0) return unreadable;
  const found = zones.map((zone): [string, WiringsOf] => {
    if (dns.kind === 'operator') return [zone, operatorWirings(dns.object, zone)];
    if (dns.kind === 'kube-dns') return [zone, stubDomainWirings(dns.configMap, zone)];
    return [zone, wiringsOf(read?.servers ?? [], { zone, isOurs })];
  });
  const missing = found.filter(([, { effective }]) => effective.length === 0).map(([zone]) => zone);
  return [
    ...(missing.length === 0 ? [] : [notWired(observed, missing, proposals)]),
    ...found.flatMap(([zone, wirings]) => judgeWirings({ zone, wirings, isOurs, question })),
  ];
}

function readCoreDns({ configMap, custom }: CoreDns): Servers {
  const { Corefile: text = '' } = dataOf(configMap);
  const folders =
    custom === undefined ? [] : [{ name: 'custom', origin: describeObject(custom), files: dataOf(custom) }];
  return readServers({ origin: describeObject(configMap), text, folders });
}

export function unreadableFinding({ origin, problem }: Servers['problems'][number]): DnsFinding {
  const found = `cannot be read: ${problem}`;
  const fix = 'correct it: CoreDNS does not start with it either, or this program does not know its form';
  return { result: 'failed', code: 'CorefileUnreadable', about: origin, found, fix };
}

function notWired(observed: ClusterObservation, missing: readonly string[], proposals: Proposals): DnsFinding {
  const change = proposals.wire(observed, missing);
  return {
    result: 'failed',
    code: 'NotWired',
    about: `zone ${missing.join(', ')}`,
    found: `${describeDns(observed)} does not forward it, nor serve it itself`,
    fix:
      change === undefined
        ? 'install first, then run this command again: it then knows the address'
        : proposals.describe(observed),
    ...(change === undefined ? {} : { change }),
  };
}

function describeDns({ dns }: ClusterObservation): string {
  if (dns.kind === 'coredns') return describeObject(dns.configMap);
  if (dns.kind === 'operator') return describeObject(dns.object);
  return 'kube-dns';
}

interface Judged {
  readonly zone: string;
  readonly wirings: WiringsOf;
  readonly isOurs: (target: string) => boolean;
  readonly question: ZoneQuestion;
}

function judgeWirings(judged: Judged): DnsFinding[] {
  const { effective, shadowed } = judged.wirings;
  if (effective.length === 0) return [];
  const kinds = new Set([...effective, ...shadowed].map(({ kind }) => kind));
  const twice = kinds.size > 1 ? [wiredTwice(judged)] : [];
  const problems = effective.flatMap((wiring) => [
    ...(wiring.kind === 'forward' ? judgeForward(wiring, judged) : judgeMulticluster(wiring, judged)),
    ...judgeCaches(wiring, judged),
  ]);
  const wrong = [...twice, ...problems];
  return wrong.some(({ result }) => result === 'failed') ? wrong : [wired(judged), ...wrong];
}

function wired({ zone, wirings: { effective } }: Judged): DnsFinding {
  const [wiring] = effective;
  const how =
    wiring?.kind === 'multicluster' ? "served by CoreDNS' multicluster" : `forwarded to ${wiring?.targets.join(', ')}`;
  const place = wiring === undefined ? '' : placeOf(wiring);
  return { result: 'ok', code: 'Wired', about: `zone ${zone}`, found: `${how} (${place})` };
}

function wiredTwice({ zone, wirings: { effective, shadowed } }: Judged): DnsFinding {
  const all = [...effective, ...shadowed].map((wiring) => `${wiring.kind} (${placeOf(wiring)})`);
  return {
    result: 'failed',
    code: 'WiredTwice',
    about: `zone ${zone}`,
    found: `${all.join(' and ')}: which of them answers is an accident`,
    fix: 'take one of the two out; the responder serves more than multicluster does (coredns/README.md)',
  };
}

function judgeForward(wiring: Wiring, { zone, isOurs, question }: Judged): DnsFinding[] {
  const { observed, proposals } = question;
  const { targets } = wiring;
  const wrong = targets.filter((target) => !isOurs(target));
  if (wrong.length === 0 && targets.length > 0) return [];
  const { responder } = observed;
  const [address] = responder?.addresses ?? [];
  const right = responder === undefined || address === undefined ? undefined : { address, port: responder.port };
  const change = proposals.redirect(observed, wiring, wrong);
  const found = `forwarded to ${wrong.join(', ') || 'nothing'} (${placeOf(wiring)}), which is not the address of the responder`;
  const fix =
    right === undefined
      ? 'install first, then run this command again: it then knows the address'
      : `put ${formatTarget(right)} there, the ClusterIP of Service ${SYSTEM_NAMESPACE}/clusterlink-mcs-dns: it changes when the Service is made anew`;
  // One that is right may still answer.
  const result = wrong.length < targets.length ? 'warning' : 'failed';
  const about = `zone ${zone}`;
  return [{ result, code: 'WiredElsewhere', about, found, fix, ...(change === undefined ? {} : { change }) }];
}

function judgeMulticluster(wiring: Wiring, { zone, question }: Judged): DnsFinding[] {
  const findings: DnsFinding[] = [];
  const about = `zone ${zone}`;
  if (!wiring.isListed) {
    const found = `is named by multicluster (${placeOf(wiring)}), and not in the list of zones of kubernetes itself, which then answers no name of it`;
    const fix = `write it there: kubernetes cluster.local ${zone} ...`;
    findings.push({ result: 'failed', code: 'ZoneNotListed', about, found, fix });
  }
  const { dns } = question.observed;
  if (dns.kind !== 'coredns' || dns.mayReadImports === true) return findings;
  const user = 'the service account of CoreDNS';
  if (dns.mayReadImports === false) {
    const change = question.proposals.allowImports(question.observed);
    const found = `${user} may not list and watch serviceimports.multicluster.x-k8s.io: with multicluster it does not become ready`;
    const fix = `apply the role below, and: ${RESTART_COREDNS}`;
    findings.push({ result: 'failed', code: 'MulticlusterForbidden', about, found, fix, change });
  } else {
    const found = `whether ${user} may read ServiceImports could not be found out: ${dns.mayReadImports.unread}`;
    const fix = 'run this command as an administrator of the cluster';
    findings.push({ result: 'warning', code: 'MulticlusterUnknown', about, found, fix });
  }
  return findings;
}

function judgeCaches(wiring: Wiring, { zone }: Judged): DnsFinding[] {
  if (wiring.longCaches.length === 0) return [];
  const found = `${wiring.longCaches.join(', ')} (${placeOf(wiring)}): clients dial what is gone for that long`;
  const fix = 'keep answers as long as they say, which is 4 s, as the block of coredns/ does';
  return [{ result: 'warning', code: 'CacheTooLong', about: `zone ${zone}`, found, fix }];
}
