/** What names are answered with here, through the resolver that programs on this machine use, judged. Pure. */
import type { Change, DnsFinding } from './findings.ts';
import { formatOutcome, type Answer, type Asked } from './question.ts';
import { clusterDomainOf, type ResolvConf } from './resolv-conf.ts';

export interface HereObservation {
  readonly resolvConf: ResolvConf;
  /** `dns-version.ZONE TXT` of each zone, by each server. */
  readonly versions: readonly Asked[];
  /** undefined: it is not known where the responder is. */
  readonly responder: DirectlyAsked | undefined;
  readonly name: NameAsked | undefined;
  readonly place: 'pod' | 'machine';
  /** What makes the resolver of this machine forward the zones, where that is known. */
  readonly recipe: Change | undefined;
}

export interface DirectlyAsked {
  readonly server: string;
  readonly versions: readonly Asked[];
}

export interface NameAsked {
  readonly name: string;
  /** By each server. */
  readonly resolved: readonly Asked[];
  readonly direct: Asked | undefined;
  /** What a program asks for that writes it without the trailing dot, up to the first name that has an answer. */
  readonly search: readonly Asked[];
}

const WIRE =
  'in the cluster: "npx clusterlink-mcs check dns --context CONTEXT" says what is missing; on a machine: docs/DNS.md';

export function judgeHere(observed: HereObservation): DnsFinding[] {
  const { name } = observed;
  return [
    ...judgeResponder(observed),
    ...judgeVersions(observed),
    ...(name === undefined ? [NO_NAME] : [...judgeName(name), ...judgeSearch(name, observed.resolvConf)]),
  ];
}

const NO_NAME: DnsFinding = {
  result: 'warning',
  code: 'NoName',
  about: 'names of imports',
  found: 'no import is known here, so that none was asked for',
  fix: 'give one: --name web.store.svc.clusterset.local',
};

function judgeResponder({ responder, place, resolvConf }: HereObservation): DnsFinding[] {
  if (responder === undefined) {
    const why =
      clusterDomainOf(resolvConf) === undefined
        ? 'nothing says where it is'
        : 'its Service has no name that resolves here';
    const fix = 'give its address: --responder ADDRESS:PORT';
    return [{ result: 'warning', code: 'ResponderUnknown', about: 'the responder', found: why, fix }];
  }
  return responder.versions.map(({ server, ms, name, outcome }): DnsFinding => {
    const about = `the responder, ${name} TXT`;
    if ('silent' in outcome) {
      // It answers those who forward to it; a pod need not be one of them.
      return place === 'pod'
        ? {
            result: 'warning',
            code: 'ResponderSilent',
            about,
            found: `${server}: ${outcome.silent}; nothing can be compared`,
            fix: 'none is needed where the resolver answers; else look at dns.clients, network policies and the pods of the responder',
          }
        : {
            result: 'failed',
            code: 'ResponderSilent',
            about,
            found: `${server}: ${outcome.silent}`,
            fix: 'start the peer; dns.listen and dns.clients of its configuration must be right for this machine',
          };
    }
    return answeredFinding({ server, ms, about, outcome });
  });
}

interface Said {
  readonly server: string;
  readonly ms: number;
  readonly about: string;
  readonly outcome: Answer;
}

function answeredFinding({ server, ms, about, outcome }: Said): DnsFinding {
  const found = `${server} says ${formatOutcome(outcome)} in ${ms} ms`;
  if (outcome.rcode === 'NOERROR' && outcome.answers.length > 0)
    return { result: 'ok', code: 'Answered', about, found };
  return { result: 'failed', code: 'NotAnswered', about, found, fix: remedyOf(outcome) };
}

function remedyOf({ rcode }: Answer): string {
  switch (rcode) {
    case 'REFUSED':
      return 'dns.zones of the responder must have this zone, or whoever answered does not answer this machine';
    case 'SERVFAIL':
      return 'the responder has just started, or whoever forwards to it does not reach it: its address, dns.clients, network policies';
    default:
      return `the zone is not forwarded to the responder: ${WIRE}`;
  }
}

function judgeVersions({ versions, recipe }: HereObservation): DnsFinding[] {
  return versions.map(({ server, ms, name, outcome }): DnsFinding => {
    const about = `${name} TXT`;
    if (!('silent' in outcome)) {
      const finding = answeredFinding({ server, ms, about, outcome });
      if (finding.result === 'ok' || recipe === undefined) return finding;
      return { ...finding, fix: 'tell the resolver of this machine, as stands below', change: recipe };
    }
    // Programs go on with the next one, after some seconds.
    const isAlone = versions.every((other) => other.name !== name || 'silent' in other.outcome);
    return {
      result: isAlone ? 'failed' : 'warning',
      code: 'ResolverSilent',
      about,
      found: `${server}: ${outcome.silent}`,
      fix: 'look whether it runs, and whether a network policy is in the way',
      ...(recipe === undefined ? {} : { change: recipe }),
    };
  });
}

function judgeName({ name, resolved, direct }: NameAsked): DnsFinding[] {
  return resolved.flatMap(({ server, ms, outcome }): DnsFinding[] => {
    if ('silent' in outcome) return [];
    const about = `${name} A`;
    const found = `${server} says ${formatOutcome(outcome)} in ${ms} ms`;
    const known = direct === undefined || 'silent' in direct.outcome ? undefined : direct.outcome;
    if (known !== undefined && !isSame(known, outcome)) {
      const fix = known.answers.some((address) => address.startsWith('127.'))
        ? 'addresses of 127.0.0.0/8 are told to clients on the machine of the peer only: the resolver must run there, and ask over loopback'
        : 'an answer may be 5 s old: run it again; if it stays so, the zone is forwarded to another responder';
      const said = `${found}, and the responder ${direct?.server} says ${formatOutcome(known)}`;
      return [{ result: 'failed', code: 'Disagrees', about, found: said, fix }];
    }
    if (outcome.rcode === 'NOERROR' && outcome.answers.length > 0) {
      const agreed = known === undefined ? '' : ', as the responder does';
      return [{ result: 'ok', code: 'Answered', about, found: `${found}${agreed}` }];
    }
    const fix =
      known === undefined
        ? remedyOf(outcome)
        : 'the responder says the same: there is no such import, or it has no address of this family or for this client (npx clusterlink-mcs status)';
    return [{ result: 'failed', code: 'NotAnswered', about, found, fix }];
  });
}

function isSame(one: Answer, other: Answer): boolean {
  return one.rcode === other.rcode && one.answers.join() === other.answers.join();
}

/** Programs ask for A and AAAA of each. */
const FAMILIES = 2;

function judgeSearch({ name, search }: NameAsked, { ndots }: ResolvConf): DnsFinding[] {
  const about = `${name}, no trailing dot`;
  const last = search.at(-1);
  const names = search.length;
  const ms = search.reduce((sum, asked) => sum + asked.ms, 0);
  const vain = Math.max(names - 1, 0) * FAMILIES;
  const found =
    vain === 0
      ? `${FAMILIES} queries, none in vain (ndots ${ndots})`
      : `${names * FAMILIES} queries instead of ${FAMILIES}, ${vain} of them in vain (ndots ${ndots}, ${names} names, ${ms} ms for A)`;
  const cost: DnsFinding = { result: 'ok', code: 'SearchCost', about, found };
  const other = last !== undefined && last.name !== name && hasAnswer(last) ? last : undefined;
  if (other === undefined) return [cost];
  return [
    {
      result: 'failed',
      code: 'SearchAnswers',
      about,
      found: `${other.name}, below the search list, has the answer ${formatOutcome(other.outcome)}, which programs take`,
      fix: 'write the trailing dot, or take the wildcard out of that domain',
    },
  ];
}

export function hasAnswer({ outcome }: Asked): boolean {
  return !('silent' in outcome) && outcome.rcode === 'NOERROR' && outcome.answers.length > 0;
}
