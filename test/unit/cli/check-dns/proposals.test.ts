import assert from 'node:assert/strict';
import { parse } from 'yaml';
import { parseCorefile } from '#src/cli/check-dns/corefile.ts';
import { distributionOf } from '#src/cli/check-dns/distribution.ts';
import { fillIn, readForms } from '#src/cli/check-dns/forms.ts';
import type { ClusterObservation } from '#src/cli/check-dns/observation.ts';
import { makeProposals } from '#src/cli/check-dns/proposals.ts';
import type { Manifest } from '#src/cli/deploy/manifests.ts';
import { ADDRESS, cluster, configMap, coreDns, filledFile, KUBEADM_COREFILE } from './cluster.ts';

const CUSTOM = `${KUBEADM_COREFILE}import /etc/coredns/custom/*.server\n`;
const ZONES = ['clusterset.local'];

interface Data {
  readonly data: Readonly<Record<string, string>>;
}

describe('makeProposals', () => {
  let proposals: ReturnType<typeof makeProposals>;
  before(async () => {
    proposals = makeProposals(await readForms());
  });
  const wire = (part: Partial<ClusterObservation>, zones = ZONES): string =>
    proposals.wire(cluster(part), zones)?.text ?? assert.fail('nothing is proposed');

  const operator: Manifest = { apiVersion: 'operator.openshift.io/v1', kind: 'DNS', metadata: { name: 'default' } };
  const files: [file: string, part: Partial<ClusterObservation>][] = [
    ['stub-kubeadm.yaml', { distribution: 'kubeadm', dns: coreDns(KUBEADM_COREFILE) }],
    ['stub-k3s.yaml', { distribution: 'k3s', dns: coreDns(CUSTOM) }],
    ['stub-aks.yaml', { distribution: 'aks', dns: coreDns(CUSTOM, { custom: configMap('coredns-custom', {}) }) }],
    ['stub-openshift.yaml', { distribution: 'openshift', dns: { kind: 'operator', object: operator } }],
    [
      'stub-kube-dns.yaml',
      { distribution: 'gke', dns: { kind: 'kube-dns', configMap: configMap('kube-dns', {}), askers: [] } },
    ],
  ];
  for (const [file, part] of files) {
    it(`${part.distribution}, nothing of its own there → coredns/${file} with the address`, () => {
      assert.equal(wire(part), filledFile(file));
    });
  }

  it('EKS → the values of coredns/stub-eks.yaml, made of the Corefile that is there', () => {
    const { corefile } = parse(filledFile('stub-eks.yaml')) as { readonly corefile: string };
    const there = corefile.replace(/^clusterset\.local:53 \{[\s\S]*?^\}\n/m, '');
    assert.notEqual(there, corefile);
    const part = { distribution: 'eks', dns: coreDns(there) } as const;
    assert.deepEqual(parse(wire(part)), { corefile });
    assert.match(proposals.wire(cluster(part), ZONES)?.use ?? '', /configuration-values/);
  });

  it('a Corefile with other things → they stay, and the block of coredns/Corefile.stub comes after them', () => {
    const { data } = parse(wire({ dns: coreDns('.:53 {\n    errors\n}') })) as Data;
    assert.deepEqual(data, { Corefile: `.:53 {\n    errors\n}\n${filledFile('Corefile.stub')}` });
  });

  it('coredns-custom with other keys → nothing is said of them, so that they stay', () => {
    const custom = configMap('coredns-custom', { 'corp.server': 'corp.example {\n}\n' });
    assert.equal(wire({ distribution: 'k3s', dns: coreDns(CUSTOM, { custom }) }), filledFile('stub-k3s.yaml'));
  });

  it('OpenShift with other servers → they stay, the list is one', () => {
    const server = { name: 'corp', zones: ['corp.example'], forwardPlugin: { upstreams: ['10.9.9.9'] } };
    const object = { ...operator, spec: { servers: [server] } };
    const { spec } = parse(wire({ distribution: 'openshift', dns: { kind: 'operator', object } })) as {
      readonly spec: { readonly servers: readonly { readonly name: string }[] };
    };
    assert.deepEqual(
      spec.servers.map(({ name }) => name),
      ['corp', 'clusterset'],
    );
  });

  it('stub domains of kube-dns → they stay', () => {
    const stubDomains = '{"corp.example": ["10.9.9.9"]}';
    const dns = { kind: 'kube-dns', configMap: configMap('kube-dns', { stubDomains }), askers: [] } as const;
    const { data } = parse(wire({ distribution: 'gke', dns })) as Data;
    assert.deepEqual(JSON.parse(data['stubDomains'] ?? ''), {
      'corp.example': ['10.9.9.9'],
      'clusterset.local': [ADDRESS],
    });
  });

  it('NodeLocal DNSCache → coredns/Corefile.stub-nodelocaldns, with the fixed address where there is one', () => {
    const nodeLocal = { configMap: configMap('node-local-dns', { Corefile: '.:53 {\n}\n' }), stubDomains: undefined };
    const textFor = (others: readonly string[]): string | undefined => {
      const responder = { addresses: [ADDRESS], port: 53, others };
      return (parse(proposals.wireNodeLocal(cluster({ nodeLocal, responder }), ZONES)?.text ?? '') as Data).data[
        'Corefile'
      ];
    };
    assert.equal(textFor([]), `.:53 {\n}\n${filledFile('Corefile.stub-nodelocaldns')}`);
    assert.match(textFor(['10.96.0.7']) ?? '', /forward \. 10\.96\.0\.7 \{/);
  });

  it('NodeLocal DNSCache that was given addresses to listen at → the same in our block', () => {
    const Corefile = '.:53 {\n    bind 169.254.20.10 10.96.0.10\n}\n';
    const nodeLocal = { configMap: configMap('node-local-dns', { Corefile }), stubDomains: undefined };
    const { data } = parse(proposals.wireNodeLocal(cluster({ nodeLocal }), ZONES)?.text ?? '') as Data;
    assert.equal(data['Corefile']?.match(/^ +bind 169\.254\.20\.10 10\.96\.0\.10$/gm)?.length, 2);
  });

  it('rights for multicluster → coredns/multicluster-rbac.yaml for the account that CoreDNS has', () => {
    assert.equal(proposals.allowImports(cluster()).text, filledFile('multicluster-rbac.yaml'));
    const dns = coreDns('', { serviceAccount: 'rke2-coredns' });
    assert.match(
      proposals.allowImports(cluster({ dns })).text,
      /ServiceAccount, name: rke2-coredns, namespace: kube-system/,
    );
  });

  it('several zones → one block with all of them, in every form', () => {
    const zones = ['a.local', 'b.local'];
    for (const [, part] of files) {
      const text = wire(part, zones);
      assert.ok(zones.every((zone) => text.includes(zone)) && !text.includes('clusterset.local'), text);
    }
    const parsed = parseCorefile((parse(wire({}, zones)) as Data).data['Corefile'] ?? '');
    assert.ok(!('problem' in parsed));
    assert.deepEqual(parsed.servers.at(-1)?.keys, ['a.local:53', 'b.local:53']);
  });

  it('a Service on another port → the address with it', () => {
    const { data } = parse(wire({ responder: { addresses: ['fd00::53'], port: 5353, others: [] } })) as Data;
    assert.match(data['Corefile'] ?? '', /forward \. \[fd00::53\]:5353 \{/);
  });

  it('no address → nothing', () => {
    assert.equal(proposals.wire(cluster({ responder: undefined }), ZONES), undefined);
  });

  it('no file has anything left to fill in', async () => {
    for (const form of Object.values(await readForms())) {
      assert.ok(!fillIn(form, { address: ADDRESS, zones: ['x.local'] }).includes('192.0.2.53'));
    }
  });
});

describe('distributionOf', () => {
  const node = (label: string): Manifest => ({ apiVersion: 'v1', kind: 'Node', metadata: { labels: { [label]: '' } } });
  const rows: [title: string, facts: Parameters<typeof distributionOf>[0], expected: string][] = [
    ['a plain Corefile', { dns: coreDns(KUBEADM_COREFILE), nodes: [] }, 'kubeadm'],
    ['one that imports *.server', { dns: coreDns(CUSTOM), nodes: [] }, 'k3s'],
    ['the same on nodes of Azure', { dns: coreDns(CUSTOM), nodes: [node('kubernetes.azure.com/cluster')] }, 'aks'],
    ['one that imports *.override alone', { dns: coreDns('. {\n import custom/*.override\n}'), nodes: [] }, 'kubeadm'],
    ['nodes of EKS', { dns: coreDns(KUBEADM_COREFILE), nodes: [node('eks.amazonaws.com/nodegroup')] }, 'eks'],
    ['kube-dns', { dns: { kind: 'kube-dns', configMap: undefined, askers: [] }, nodes: [] }, 'gke'],
    ['the operator', { dns: { kind: 'operator', object: node('') }, nodes: [] }, 'openshift'],
  ];
  for (const [title, facts, expected] of rows) {
    it(`${title} → ${expected}`, () => assert.equal(distributionOf(facts), expected));
  }
});
