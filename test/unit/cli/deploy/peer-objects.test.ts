import assert from 'node:assert/strict';
import { parse } from 'yaml';
import { readBase, type Manifest } from '#src/cli/deploy/manifests.ts';
import { isIdentitySecret, peerObjects, type PeerIntent } from '#src/cli/deploy/peer-objects.ts';
import { configSchema } from '#src/runtime/config-schema.ts';
import * as v from 'valibot';

const IDENTITY = { caPem: 'ca\n', certPem: 'cert\n', keyPem: 'key\n' };

describe('peerObjects', () => {
  let base: readonly Manifest[];
  before(async () => {
    base = await readBase();
  });

  const make = (intent: Partial<PeerIntent> = {}): Manifest[] =>
    peerObjects({ base, peer: 'east', fabric: 'shops', ingress: { type: 'ClusterIP' }, identity: IDENTITY, ...intent });
  const find = (objects: readonly Manifest[], kind: string, name: string): Manifest =>
    objects.find((object) => object.kind === kind && object.metadata?.name === name) ?? assert.fail(`${kind} ${name}`);
  const configOf = (objects: readonly Manifest[]): string =>
    (find(objects, 'ConfigMap', 'clusterlink-mcs')['data'] as Record<string, string>)['peer.yaml'] ?? '';
  const template = (objects: readonly Manifest[], part: string): Template =>
    (find(objects, 'Deployment', `clusterlink-mcs-${part}`)['spec'] as { template: Template }).template;

  interface Template {
    readonly metadata: { readonly annotations: Readonly<Record<string, string>> };
    readonly spec: { readonly containers: readonly { readonly image: string }[] };
  }

  it('name and fabric → in the configuration, which the program accepts; comments stay', () => {
    const text = configOf(make());
    const config = v.parse(configSchema, parse(text));
    assert.equal(config.peer, 'east');
    assert.equal(config.fabric.name, 'shops');
    assert.match(text, /^# /m);
  });

  it('the identity → one Secret, before the Deployments, and nothing of the key anywhere else', () => {
    const objects = make();
    const secrets = objects.filter(isIdentitySecret);
    assert.equal(secrets.length, 1);
    assert.deepEqual(secrets[0]?.['data'], { 'ca.pem': 'Y2EK', 'cert.pem': 'Y2VydAo=', 'key.pem': 'a2V5Cg==' });
    const kinds = objects.map(({ kind }) => kind);
    assert.ok(kinds.indexOf('Secret') > kinds.indexOf('Namespace'));
    assert.ok(kinds.indexOf('Secret') < kinds.indexOf('Deployment'));
    assert.doesNotMatch(JSON.stringify(objects.filter((object) => !isIdentitySecret(object))), /a2V5Cg==/);
  });

  it('revocation lists → in that Secret; other lists make no other pods: they are followed', () => {
    const [one, other] = ['one', 'two'].map((crlPem) => make({ identity: { ...IDENTITY, crlPem } }));
    const data = one?.find(isIdentitySecret)?.['data'] as Record<string, string>;
    assert.equal(Buffer.from(data['crl.pem'] ?? '', 'base64').toString(), 'one');
    const others = (all: readonly Manifest[] = []): Manifest[] => all.filter((object) => !isIdentitySecret(object));
    assert.deepEqual(others(one), others(other));
    assert.deepEqual(others(one), others(make()));
  });

  it('another configuration → other pods of every part; another certificate → other gateways alone', () => {
    const annotations = (objects: readonly Manifest[], part: string) => template(objects, part).metadata.annotations;
    const [first, renamed, renewed] = [
      make(),
      make({ fabric: 'others' }),
      make({ identity: { ...IDENTITY, certPem: 'new\n' } }),
    ];
    for (const part of ['gateway', 'controller', 'dns']) {
      assert.notDeepEqual(annotations(renamed, part), annotations(first, part));
      assert.equal(annotations(first, part)['linkerd.io/inject'], 'disabled');
    }
    assert.notDeepEqual(annotations(renewed, 'gateway'), annotations(first, 'gateway'));
    assert.deepEqual(annotations(renewed, 'dns'), annotations(first, 'dns'));
  });

  it('a proxy → its URL in the Secret alone; another address of it makes other gateways, another password does not', () => {
    const withProxy = (proxy: string) => make({ proxy, proxyExcept: ['corp.example', '10.0.0.0/8'] });
    const objects = withProxy('http://user:hush@proxy:3128');
    const secret = objects.find(isIdentitySecret)?.['data'] as Record<string, string>;
    assert.equal(Buffer.from(secret['proxy'] ?? '', 'base64').toString(), 'http://user:hush@proxy:3128');
    const others = (all: typeof objects) => all.filter((object) => !isIdentitySecret(object));
    assert.doesNotMatch(JSON.stringify(others(objects)), /hush|proxy:3128/);
    assert.match(JSON.stringify(others(objects)), /proxyExcept:.*corp\.example.*10\.0\.0\.0\/8/);
    assert.deepEqual(others(withProxy('http://user:other@proxy:3128')), others(objects));
    assert.notDeepEqual(others(withProxy('http://user:hush@other:3128')), others(objects));
  });

  it('another key alone → no object but the Secret differs', () => {
    const others = (keyPem: string): Manifest[] =>
      make({ identity: { ...IDENTITY, keyPem } }).filter((object) => !isIdentitySecret(object));
    assert.deepEqual(others('one'), others('two'));
  });

  it('a NodePort → type and port of the gateway’s Service; the DNS Service stays inside', () => {
    const objects = make({ ingress: { type: 'NodePort', port: 30_443 } });
    const spec = find(objects, 'Service', 'clusterlink-mcs-gateway')['spec'] as { type: string; ports: object[] };
    assert.equal(spec.type, 'NodePort');
    assert.deepEqual(spec.ports, [
      { name: 'peers', protocol: 'TCP', port: 4443, targetPort: 'peers', nodePort: 30_443 },
    ]);
    assert.deepEqual((find(objects, 'Service', 'clusterlink-mcs-dns')['spec'] as { type: string }).type, 'ClusterIP');
  });

  it('a LoadBalancer → its own port and annotations, the port of the pods as it was', () => {
    const annotations = { 'cloud.example/internal': 'true' };
    const service = find(
      make({ ingress: { type: 'LoadBalancer', port: 443, annotations } }),
      'Service',
      'clusterlink-mcs-gateway',
    );
    assert.deepEqual(service.metadata?.annotations, annotations);
    const spec = service['spec'] as { type: string; ports: object[] };
    assert.equal(spec.type, 'LoadBalancer');
    assert.deepEqual(spec.ports, [{ name: 'peers', protocol: 'TCP', port: 443, targetPort: 'peers' }]);
  });

  it('labels and a log level → in the configuration, which the program accepts', () => {
    const config = v.parse(configSchema, parse(configOf(make({ labels: { region: 'eu' }, logLevel: 'debug' }))));
    assert.deepEqual(config.labels, { region: 'eu' });
    assert.equal(config.log.level, 'debug');
  });

  it('replicas → of the parts that they are for', () => {
    const objects = make({ replicas: { gateway: 5 } });
    const replicas = ['gateway', 'controller', 'dns'].map(
      (part) => (find(objects, 'Deployment', `clusterlink-mcs-${part}`)['spec'] as { replicas: number }).replicas,
    );
    assert.deepEqual(replicas, [5, 2, 2]);
  });

  it('an image → of all three parts; none → that of the manifests', () => {
    for (const part of ['gateway', 'controller', 'dns']) {
      assert.equal(template(make({ image: 'r.example/m:2' }), part).spec.containers[0]?.image, 'r.example/m:2');
      assert.match(template(make(), part).spec.containers[0]?.image ?? '', /^clusterlink-mcs:\d/);
    }
  });
});
