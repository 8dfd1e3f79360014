/** What mends the DNS of a cluster, as objects to apply: the files of `coredns/` laid over what is there. Pure. */
import { isDeepStrictEqual } from 'node:util';
import { parse, stringify } from 'yaml';
import { SYSTEM_NAMESPACE } from '../../api/names.ts';
import { describeObject } from '../../api/object.ts';
import type { Manifest } from '../deploy/manifests.ts';
import { APPLY, objectChange, type Change } from './findings.ts';
import { fillIn, type Forms } from './forms.ts';
import { isUnread, type ClusterObservation, type CoreDns } from './observation.ts';
import { dataOf, withData, operatorServers, stubDomainsOf } from './other-dns.ts';
import { readServers } from './servers.ts';
import { formatTarget } from './targets.ts';
import type { Wiring } from './wiring.ts';

export interface Proposals {
  /** That the DNS of the cluster forwards these zones; undefined while the responder has no address. */
  wire(observed: ClusterObservation, zones: readonly string[]): Change | undefined;
  /** In words, how to use it. */
  describe(observed: ClusterObservation): string;
  /** That a `forward` leads to the responder instead of to `wrong`. */
  redirect(observed: ClusterObservation, wiring: Wiring, wrong: readonly string[]): Change | undefined;
  /** That NodeLocal DNSCache forwards these zones. */
  wireNodeLocal(observed: ClusterObservation, zones: readonly string[]): Change | undefined;
  /** That CoreDNS may read ServiceImports. */
  allowImports(observed: ClusterObservation): Change;
}

const EKS_USE =
  'configuration values of the add-on: aws eks update-addon --cluster-name CLUSTER --addon-name coredns --configuration-values file://FILE';

export function makeProposals(forms: Forms): Proposals {
  function fill(form: string, observed: ClusterObservation, zones: readonly string[]): string | undefined {
    const address = addressOf(observed);
    return address === undefined ? undefined : fillIn(form, { address, zones });
  }

  return {
    wire(observed, zones) {
      const form = fill(forms[observed.distribution], observed, zones);
      const block = fill(forms.block, observed, zones);
      if (form === undefined || block === undefined) return undefined;
      const { dns } = observed;
      switch (dns.kind) {
        case 'unknown':
          return undefined;
        case 'operator':
          return merged(form, (added) => withServers(dns.object, added));
        case 'kube-dns':
          return merged(form, (added) => withStubDomains(dns.configMap, added));
        case 'coredns':
          return wireCoreDns({ dns, distribution: observed.distribution, form, block });
      }
    },
    describe({ dns, distribution }) {
      if (dns.kind === 'coredns' && distribution === 'eks') {
        return 'give the add-on the configuration below; where CoreDNS is no add-on, put the last block of it into the ConfigMap';
      }
      return `apply what stands below${dns.kind === 'coredns' ? `, and: ${RESTART_COREDNS}` : ''}`;
    },
    redirect(observed, wiring, wrong) {
      const address = addressOf(observed);
      const { dns } = observed;
      if (address === undefined || wrong.length === 0) return undefined;
      if (dns.kind === 'operator') return objectChange(redirectServers(dns.object, { wrong, address }));
      if (dns.kind === 'kube-dns') {
        return dns.configMap === undefined
          ? undefined
          : objectChange(redirectStubDomains(dns.configMap, { wrong, address }));
      }
      const held = dns.kind === 'coredns' ? [dns.configMap, ...(dns.custom === undefined ? [] : [dns.custom])] : [];
      const { nodeLocal } = observed;
      if (nodeLocal !== undefined && !isUnread(nodeLocal.configMap)) held.push(nodeLocal.configMap);
      for (const configMap of held) {
        const changed = redirectText(configMap, { wiring, wrong, address });
        if (changed !== undefined) return objectChange(changed);
      }
      return undefined;
    },
    wireNodeLocal(observed, zones) {
      const { nodeLocal } = observed;
      if (nodeLocal === undefined || isUnread(nodeLocal.configMap)) return undefined;
      // A Service with a fixed address is made for it.
      const address = observed.responder?.others[0] ?? addressOf(observed);
      if (address === undefined) return undefined;
      const block = fillIn(forms.nodeLocalBlock, { address, zones });
      return objectChange(withBlock(nodeLocal.configMap, boundAs(nodeLocal.configMap, block)));
    },
    allowImports({ dns }) {
      const [role, binding] = forms.multiclusterRole.split(/^---\n/m);
      const account = dns.kind === 'coredns' ? dns.serviceAccount : 'coredns';
      return { use: APPLY, text: `${role}---\n${binding?.replace('name: coredns,', `name: ${account},`)}` };
    },
  };
}

/** As CoreDNS writes it: without the port where it is 53. */
function addressOf({ responder }: ClusterObservation): string | undefined {
  const [address] = responder?.addresses ?? [];
  if (responder === undefined || address === undefined) return undefined;
  return responder.port === 53 ? address : formatTarget({ address, port: responder.port });
}

interface WireCoreDns {
  readonly dns: CoreDns;
  readonly distribution: ClusterObservation['distribution'];
  readonly form: string;
  readonly block: string;
}

function wireCoreDns({ dns, distribution, form, block }: WireCoreDns): Change {
  if (distribution === 'k3s' || distribution === 'aks') {
    return objectChange(parse(form) as Manifest, form);
  }
  const wanted = withBlock(dns.configMap, block);
  if (distribution !== 'eks') return merged(form, () => wanted);
  return { use: EKS_USE, text: stringify({ corefile: dataOf(wanted)['Corefile'] ?? '' }, { lineWidth: 0 }) };
}

/** The text of the file itself, where it is all that has to be said. */
function merged(form: string, over: (added: Manifest) => Manifest): Change {
  const added = parse(form) as Manifest;
  const wanted = over(added);
  return isDeepStrictEqual(added, wanted) ? objectChange(added, form) : objectChange(wanted);
}

function withBlock(configMap: Manifest, block: string): Manifest {
  const { Corefile: text = '' } = dataOf(configMap);
  const before = text === '' || text.endsWith('\n') ? text : `${text}\n`;
  return withData(configMap, { Corefile: `${before}${block}` });
}

/** Where whoever installed it wrote addresses to listen at, and not the word for which every node puts its own. */
function boundAs(configMap: Manifest, block: string): string {
  const { servers } = readServers({ origin: '', text: dataOf(configMap)['Corefile'] ?? '' });
  const bind = servers.flatMap(({ directives }) => directives).find(({ name }) => name === 'bind');
  return bind === undefined ? block : block.replace(/^( *bind) .*$/m, `$1 ${bind.args.join(' ')}`);
}

/** One list, which is replaced as a whole. */
function withServers(object: Manifest, added: Manifest): Manifest {
  return { ...added, spec: { servers: [...operatorServers(object), ...operatorServers(added)] } };
}

function withStubDomains(configMap: Manifest | undefined, added: Manifest): Manifest {
  if (configMap === undefined || Object.keys(stubDomainsOf(configMap)).length === 0) return added;
  const domains = { ...stubDomainsOf(configMap), ...stubDomainsOf(added) };
  return withData(configMap, { stubDomains: `${JSON.stringify(domains)}\n` });
}

interface Redirection {
  readonly wrong: readonly string[];
  readonly address: string;
}

/** Each wrong one gives way; ours stands there once. */
function redirected(targets: readonly string[], { wrong, address }: Redirection): string[] {
  return [...new Set(targets.map((target) => (wrong.includes(target) ? address : target)))];
}

function redirectServers(object: Manifest, redirection: Redirection): Manifest {
  const servers = operatorServers(object).map((server) => {
    const { upstreams = [] } = server.forwardPlugin ?? {};
    return { ...server, forwardPlugin: { ...server.forwardPlugin, upstreams: redirected(upstreams, redirection) } };
  });
  const { name } = object.metadata ?? {};
  return { apiVersion: object.apiVersion, kind: object.kind, metadata: { name }, spec: { servers } } as Manifest;
}

function redirectStubDomains(configMap: Manifest, redirection: Redirection): Manifest {
  const domains = Object.entries(stubDomainsOf(configMap)).map(([zone, targets]) => [
    zone,
    redirected(targets, redirection),
  ]);
  return withData(configMap, { stubDomains: `${JSON.stringify(Object.fromEntries(domains))}\n` });
}

/** undefined where the wiring stands in another object. */
function redirectText(
  configMap: Manifest,
  { wiring, wrong, address }: Redirection & { readonly wiring: Wiring },
): Manifest | undefined {
  const object = describeObject(configMap);
  if (wiring.origin !== object && !wiring.origin.startsWith(`${object} `)) return undefined;
  const key = wiring.origin === object ? 'Corefile' : wiring.origin.slice(object.length + 1);
  const lines = (dataOf(configMap)[key] ?? '').split('\n');
  const index = (wiring.line ?? 0) - 1;
  const words = (lines[index] ?? '').split(/(\s+)/);
  const changed = words.map((word) => (wrong.includes(word) ? address : word)).join('');
  if (lines[index] === undefined || changed === lines[index]) return undefined;
  return withData(configMap, { [key]: lines.with(index, changed).join('\n') });
}

/** It takes changes over by itself too, where it has the plugin `reload`, in up to two minutes. */
export const RESTART_COREDNS = 'kubectl -n kube-system rollout restart deployment coredns';
export const RESTART_RESPONDER = `kubectl -n ${SYSTEM_NAMESPACE} rollout restart deployment clusterlink-mcs-dns`;
