/** What holds for every manifest of the installation, whoever edits it next. */
import assert from 'node:assert/strict';
import { globSync, readdirSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';
import packageJson from '../../../package.json' with { type: 'json' };
import { readBase, readClustersetProfile, readCrds, type Manifest } from '#src/cli/deploy/manifests.ts';
import { METRICS_SERVICE, toTargets } from '#src/cli/run/cluster/follow-client-addresses.ts';
import { TARGET_PORT_FIRST, TARGET_PORT_LAST } from '#src/controllers/limits.ts';

interface Container {
  readonly image: string;
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly securityContext: object;
  readonly resources: { readonly requests: object; readonly limits: { readonly memory: string } };
  readonly volumeMounts: readonly { readonly mountPath: string }[];
  readonly [probe: string]: unknown;
}
interface PodSpec {
  readonly containers: readonly Container[];
  readonly enableServiceLinks: boolean;
  readonly terminationGracePeriodSeconds: number;
  readonly securityContext: object;
  readonly volumes: readonly { readonly name: string; readonly [source: string]: unknown }[];
}
interface DeploymentSpec {
  readonly replicas: number;
  readonly template: {
    readonly metadata: { readonly labels: object; readonly annotations: object };
    readonly spec: PodSpec;
  };
}

describe('manifests/base', () => {
  let base: readonly Manifest[];
  let profile: readonly Manifest[];
  before(async () => {
    [base, profile] = await Promise.all([readBase(), readClustersetProfile()]);
  });
  const find = (kind: string, name: string): Manifest =>
    base.find((object) => object.kind === kind && object.metadata?.name === name) ?? assert.fail(`${kind} ${name}`);
  const specOf = (part: string): DeploymentSpec =>
    find('Deployment', `clusterlink-mcs-${part}`)['spec'] as DeploymentSpec;

  it('every file of the folder → is in the kustomization', () => {
    const { resources } = parse(readFileSync('manifests/base/kustomization.yaml', 'utf8')) as { resources: string[] };
    const files = readdirSync('manifests/base').filter((name) => name !== 'kustomization.yaml');
    assert.deepEqual([...resources].sort(), files.sort());
  });

  it('every CRD → is in the kustomization', async () => {
    const names = globSync('crds/*.yaml').map((file) => (parse(readFileSync(file, 'utf8')) as Manifest).metadata?.name);
    assert.deepEqual((await readCrds()).map(({ metadata }) => metadata?.name).sort(), names.sort());
  });

  it('every object → is found by "delete peer", and none looks as if a controller had made it', () => {
    for (const { kind, metadata } of [...base, ...profile]) {
      assert.equal(metadata?.labels?.['app.kubernetes.io/part-of'], 'clusterlink-mcs', `${kind} ${metadata?.name}`);
      assert.equal(metadata.labels['app.kubernetes.io/managed-by'], undefined, `${kind} ${metadata.name}`);
    }
  });

  it('every role → no wildcard, and reasons beside the rules', () => {
    for (const { kind, metadata, ...role } of base) {
      if (kind !== 'ClusterRole' && kind !== 'Role') continue;
      assert.doesNotMatch(JSON.stringify(role['rules']), /"\*"/, metadata?.name ?? '');
    }
    const lines = globSync('manifests/base/*{-rbac,user-roles}.yaml').flatMap((file) =>
      readFileSync(file, 'utf8').split('\n'),
    );
    const starts = lines.flatMap((line, index) => (line === 'rules:' ? [index + 1] : []));
    assert.ok(starts.length >= 8);
    for (const start of starts) assert.match(lines[start] ?? '', /^ {2}# /);
  });

  it('verbs that give more than they say (escalate, bind, impersonate, update of others’ objects) → none', () => {
    const verbs = base.flatMap((object) =>
      ((object['rules'] ?? []) as { resources: string[]; verbs: string[] }[]).map((rule) => rule),
    );
    for (const { resources, verbs: given } of verbs) {
      assert.deepEqual(
        given.filter((verb) => ['escalate', 'bind', 'impersonate'].includes(verb)),
        [],
      );
      assert.deepEqual(
        resources.filter((resource) => /secrets|exec|token|portforward|proxy/.test(resource)),
        [],
      );
    }
  });

  for (const part of ['gateway', 'controller', 'dns']) {
    it(`${part} → version, restricted, read-only, bounded, probed, out of meshes`, () => {
      const { replicas, template } = specOf(part);
      const { containers, enableServiceLinks, securityContext } = template.spec;
      const [container] = containers;
      assert.ok(container !== undefined);
      assert.equal(replicas, 2);
      assert.equal(container.image, `clusterlink-mcs:${packageJson.version}`);
      assert.equal(enableServiceLinks, false);
      assert.deepEqual(securityContext, {
        runAsNonRoot: true,
        runAsUser: 65_532,
        runAsGroup: 65_532,
        fsGroup: 65_532,
        seccompProfile: { type: 'RuntimeDefault' },
      });
      assert.deepEqual(container.securityContext, {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
      assert.ok(container.resources.limits.memory !== '');
      for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe'])
        assert.ok(container[probe] !== undefined);
      assert.match(
        JSON.stringify(template.metadata),
        /"sidecar.istio.io\/inject":"false".*"linkerd.io\/inject":"disabled"/,
      );
      assert.ok(find('PodDisruptionBudget', `clusterlink-mcs-${part}`));
    });
  }

  it('the key → in gateways alone, and by their group alone', () => {
    const projected = specOf('gateway').template.spec.volumes.find(({ name }) => name === 'configuration')?.[
      'projected'
    ];
    assert.equal((projected as { defaultMode: number }).defaultMode, 0o440);
    for (const part of ['controller', 'dns']) assert.doesNotMatch(JSON.stringify(specOf(part)), /secret/i);
  });

  it('ports of configuration, pods, Services and network policies → the same', () => {
    const config = parse(
      (find('ConfigMap', 'clusterlink-mcs')['data'] as Record<string, string>)['peer.yaml'] ?? '',
    ) as {
      gateway: { listen: string };
      dns: { listen: string };
      metrics: string;
      drainSeconds: number;
    };
    const ports = (part: string): Record<string, number> =>
      Object.fromEntries(
        specOf(part).template.spec.containers[0]?.ports.map((port) => [port.name, port.containerPort]) ?? [],
      );
    assert.deepEqual(ports('gateway'), { peers: 4443, http: 9090 });
    assert.deepEqual(ports('dns'), { dns: 5353, 'dns-tcp': 5353, http: 9090 });
    assert.deepEqual(
      [config.gateway.listen, config.dns.listen, config.metrics],
      ['[::]:4443', '[::]:5353', '[::]:9090'],
    );
    assert.ok(config.drainSeconds < specOf('gateway').template.spec.terminationGracePeriodSeconds);
    const policies = JSON.stringify(base.filter(({ kind }) => kind === 'NetworkPolicy'));
    assert.match(policies, new RegExp(`"port":${TARGET_PORT_FIRST},"endPort":${TARGET_PORT_LAST}`));
  });
});

describe('manifests/base/metrics.yaml', () => {
  it('the Service → leads to the HTTP port of all parts, and gateways know it', async () => {
    const base = await readBase();
    const service = base.find(({ kind, metadata }) => kind === 'Service' && metadata?.name === METRICS_SERVICE.name);
    assert.equal(service?.metadata?.namespace, METRICS_SERVICE.namespace);
    const { selector, ports } = service['spec'] as {
      selector: Record<string, string>;
      ports: { targetPort: string }[];
    };
    const deployments = base
      .filter(({ kind }) => kind === 'Deployment')
      .map((object) => object['spec'] as DeploymentSpec);
    assert.equal(deployments.length, 3);
    for (const { template } of deployments) {
      const labels = template.metadata.labels as Record<string, string>;
      assert.ok(Object.entries(selector).every(([key, value]) => labels[key] === value));
      const [{ ports: named = [] } = {}] = template.spec.containers;
      assert.ok(ports.every(({ targetPort }) => named.some(({ name }) => name === targetPort)));
    }
    const given = { ...service, spec: { ...(service['spec'] as object), clusterIPs: ['10.96.0.9'] } };
    assert.deepEqual(toTargets(given as never), [{ host: '10.96.0.9', port: 9090 }]);
  });
});

describe('manifests/base/network-policies.yaml', () => {
  interface Rule {
    readonly from?: readonly object[];
    readonly ports?: readonly { readonly port?: number; readonly endPort?: number }[];
  }

  it('metrics → from namespaces with the label, and our gateways: ranges of addresses are those of tenants’ pods too', async () => {
    const METRICS = 9090;
    const rules = (await readBase())
      .filter(({ kind }) => kind === 'NetworkPolicy')
      .flatMap((policy) => (policy['spec'] as { ingress?: Rule[] }).ingress ?? []);
    const letIn = rules.filter(
      ({ ports }) =>
        ports === undefined || ports.some(({ port = 0, endPort = port }) => port <= METRICS && METRICS <= endPort),
    );
    const from = { namespaceSelector: { matchLabels: { 'mcs.clusterlink.net/scrapes': 'true' } } };
    const component = { 'app.kubernetes.io/name': 'clusterlink-mcs', 'app.kubernetes.io/component': 'gateway' };
    const gateways = { podSelector: { matchLabels: component } };
    assert.deepEqual(
      letIn.map((rule) => rule.from),
      [[from], [gateways]],
    );
  });
});

describe('manifests/overlays', () => {
  it('peer.yaml → that of the base with another name', () => {
    const file = readFileSync('manifests/base/configuration.yaml', 'utf8');
    const { data } = parse(file) as { data: Record<string, string> };
    const overlay = readFileSync('manifests/overlays/base/peer.yaml', 'utf8');
    assert.equal(overlay, data['peer.yaml']?.replace('name-of-this-peer', 'east'));
  });

  it('the image → of this version', () => {
    const file = readFileSync('manifests/overlays/base/kustomization.yaml', 'utf8');
    const { images } = parse(file) as { images: unknown };
    assert.deepEqual(images, [{ name: 'clusterlink-mcs', newTag: packageJson.version }]);
  });
});
