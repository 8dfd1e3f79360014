/** Faults that `explain` has to name: each with the hop, the code and the object that it must name, and what its remedy says. */
import type { ObjectKey } from '#src/api/object.ts';
import type { Hop } from '#src/gateway/hops.ts';
import { peerManifest, policyManifest, ruleManifest } from '#test/support/standalone.ts';
import type { Stage } from '#test/support/stage.ts';
import { stringify } from 'yaml';

export interface ExplainFault {
  /** What is wrong, for the title of its test. */
  readonly name: string;
  /** What is explained at west: NAME:PORT. */
  readonly target: string;
  readonly hop: Hop['hop'];
  readonly code: string;
  readonly subject: RegExp;
  readonly fix: RegExp;
  /** Absent: the question alone is wrong. */
  bring?(stage: Stage): Promise<void>;
}

const OUR_GROUP = 'mcs.clusterlink.net/v1alpha1';
const ZONE = 'svc.clusterset.local';

function rule(name: string, spec: Record<string, unknown>): string {
  return stringify({ apiVersion: OUR_GROUP, kind: 'ClusterImportRule', metadata: { name }, spec });
}

/** West imports everything that peer `north` has in namespace `yard`. */
function importFromNorth(port: number): string {
  const peer = peerManifest({ name: 'north', gatewayPort: port });
  return `${peer}---\n${ruleManifest({ peers: { names: ['north'] }, exports: { names: ['crane'] }, into: { namespace: 'yard' } }, 'from-north')}`;
}

/** An AccessPolicy of the namespace of one export about it and the clients of one namespace. */
function policyFor({ namespace, name }: ObjectKey, action: 'allow' | 'deny', clientNamespace: string): string {
  return stringify({
    apiVersion: 'clusterlink.net/v1alpha1',
    kind: 'AccessPolicy',
    metadata: { name: `${action}-${name}`, namespace },
    spec: {
      action,
      from: [{ workloadSelector: { matchLabels: { 'client.clusterlink.net/namespace': clientNamespace } } }],
      to: [{ workloadSelector: { matchLabels: { 'export.clusterlink.net/name': name } } }],
    },
  });
}

export const EXPLAIN_FAULTS: readonly ExplainFault[] = [
  {
    name: 'the name is misspelt',
    target: `catalgo.store.${ZONE}:80`,
    hop: 'name',
    code: 'IMPORT_DELETED',
    subject: /^store\/catalgo$/,
    fix: /did you mean store\/catalog\?/,
  },
  {
    name: 'the name is that of the exporter',
    target: `catalog.shop.${ZONE}:80`,
    hop: 'name',
    code: 'IMPORT_DELETED',
    subject: /^shop\/catalog$/,
    fix: /did you mean store\/catalog\?/,
  },
  {
    name: 'the zone is not served',
    target: 'catalog.store.svc.cluster.local:80',
    hop: 'name',
    code: 'ERR_USAGE',
    subject: /cluster\.local/,
    fix: /NAME\.NAMESPACE\.svc\.clusterset\.local:PORT.*dns\.zones/,
  },
  {
    name: 'no rule makes the import',
    target: `ledger.books.${ZONE}:80`,
    hop: 'import',
    code: 'IMPORT_DELETED',
    subject: /^books\/ledger$/,
    fix: /^npx clusterlink-mcs import --store dir:\S+ NAMESPACE\/NAME --from PEER --as books\/ledger/,
  },
  {
    name: 'the port is none of the import',
    target: `catalog.store.${ZONE}:81`,
    hop: 'import',
    code: 'NOTHING_OFFERED',
    subject: /^store\/catalog$/,
    fix: /use one of its TCP ports: 80/,
  },
  {
    name: 'the rule contradicts itself',
    target: `crane.yard.${ZONE}:80`,
    hop: 'rule',
    code: 'ERR_INVALID_OBJECT',
    subject: /^ClusterImportRule contradicting$/,
    fix: /./,
    bring: ({ write }) =>
      write(
        'west',
        rule('contradicting', {
          peers: { names: ['east'] },
          exports: { names: ['crane'] },
          into: { namespace: 'yard', sameNamespace: true },
        }),
      ),
  },
  {
    name: 'the name would be longer than a label',
    target: `${'long-'.repeat(12)}catalog.yard.${ZONE}:80`,
    hop: 'rule',
    code: 'NameTooLong',
    subject: /^ClusterImportRule long$/,
    fix: /spec\.into\.name/,
    bring: ({ write }) =>
      write(
        'west',
        ruleManifest(
          { exports: { names: ['catalog'] }, into: { namespace: 'yard', name: `${'long-'.repeat(12)}{name}` } },
          'long',
        ),
      ),
  },
  {
    name: 'the rule names a peer that has no Peer object',
    target: `crane.yard.${ZONE}:80`,
    hop: 'source',
    code: 'PEER_UNKNOWN',
    subject: /^south\//,
    fix: /write a Peer object south/,
    bring: ({ write }) =>
      write(
        'west',
        ruleManifest(
          { peers: { names: ['south'] }, exports: { names: ['crane'] }, into: { namespace: 'yard' } },
          'from-south',
        ),
      ),
  },
  {
    name: 'the list of the rule misses the namespace',
    target: `catalog.yard.${ZONE}:80`,
    hop: 'source',
    code: 'NOTHING_OFFERED',
    subject: /^east\/shopp\/catalog$/,
    fix: /correct spec\.exports of ClusterImportRule mistaken/,
    bring: ({ write }) =>
      write(
        'west',
        ruleManifest(
          { exports: { namespaces: ['shopp'], names: ['catalog'] }, into: { namespace: 'yard' } },
          'mistaken',
        ),
      ),
  },
  {
    name: 'the export was withdrawn',
    target: `fleeting.store.${ZONE}:80`,
    hop: 'source',
    code: 'NOTHING_OFFERED',
    subject: /^east\/shop\/fleeting$/,
    fix: /at east: see in "npx clusterlink-mcs status" that shop\/fleeting is exported/,
    async bring({ exportAtEast, importReady }) {
      const withdraw = await exportAtEast('fleeting');
      await importReady('store/fleeting');
      await withdraw();
    },
  },
  {
    name: 'an export of this peer itself has no Service',
    target: `crane.yard.${ZONE}:80`,
    hop: 'source',
    code: 'NoService',
    subject: /^west\/own\/crane$/,
    fix: /correct the ServiceExport own\/crane or its Service/,
    bring: ({ write }) =>
      write(
        'west',
        `${ruleManifest({ peers: { names: ['west'] }, exports: { namespaces: ['own'], names: ['crane'] }, into: { namespace: 'yard' } }, 'from-self')}---\n${stringify(
          {
            apiVersion: 'multicluster.x-k8s.io/v1beta1',
            kind: 'ServiceExport',
            metadata: { name: 'crane', namespace: 'own' },
          },
        )}`,
      ),
  },
  {
    name: 'no policy here allows it',
    target: `catalog.yard.${ZONE}:80`,
    hop: 'egress',
    code: 'EGRESS_DENIED',
    subject: /^east\/shop\/catalog$/,
    fix: /^npx clusterlink-mcs allow --store dir:\S+ --namespace yard --export shop\/catalog --to-peer east$/,
    bring: ({ write }) => write('west', ruleManifest({ into: { namespace: 'yard' } }, 'into-yard')),
  },
  {
    name: 'a policy here denies it',
    target: `catalog.yard.${ZONE}:80`,
    hop: 'egress',
    code: 'EGRESS_DENIED',
    subject: /^east\/shop\/catalog$/,
    fix: /^change or remove AccessPolicy yard\/never/,
    bring: ({ write }) =>
      write(
        'west',
        [
          ruleManifest({ into: { namespace: 'yard' } }, 'into-yard'),
          stringify(policyManifest('yard')),
          stringify({
            apiVersion: 'clusterlink.net/v1alpha1',
            kind: 'AccessPolicy',
            metadata: { name: 'never', namespace: 'yard' },
            spec: { action: 'deny', from: [{ workloadSelector: {} }], to: [{ workloadSelector: {} }] },
          }),
        ].join('---\n'),
      ),
  },
  {
    name: 'nothing listens at the address of the peer',
    target: `crane.yard.${ZONE}:80`,
    hop: 'session',
    code: 'PEER_UNREACHABLE',
    subject: /^north$/,
    fix: /the gateway of north runs and that the Peer object north names its address/,
    bring: async ({ write, closedPort }) => write('west', importFromNorth(await closedPort())),
  },
  {
    name: 'the certificate of the peer is of another fabric',
    target: `crane.yard.${ZONE}:80`,
    hop: 'session',
    code: 'PEER_ROOT_MISMATCH',
    subject: /^north$/,
    fix: /annotation mcs\.clusterlink\.net\/roots of the Peer object north/,
    bring: async ({ write, gatewayOfOtherFabric }) => write('west', importFromNorth(await gatewayOfOtherFabric())),
  },
  {
    name: 'the certificate of the peer has expired',
    target: `crane.yard.${ZONE}:80`,
    hop: 'session',
    code: 'CERT_EXPIRED',
    subject: /^north$/,
    fix: /renew cert north/,
    bring: async ({ write, gatewayThatExpired }) => write('west', importFromNorth(await gatewayThatExpired())),
  },
  {
    name: 'another peer answers at the address',
    target: `crane.yard.${ZONE}:80`,
    hop: 'session',
    code: 'PEER_NAME_MISMATCH',
    subject: /^north$/,
    fix: /correct spec\.gateways of the Peer object north/,
    bring: ({ write, eastPort }) => write('west', importFromNorth(eastPort)),
  },
  {
    name: 'the owner admits only clients of another namespace',
    target: `vault.store.${ZONE}:80`,
    hop: 'ingress',
    code: 'INGRESS_DENIED',
    subject: /^east\/bank\/vault$/,
    fix: /^at east: npx clusterlink-mcs allow --namespace bank --export bank\/vault --from-peer west/,
    async bring({ exportAtEast, importReady, write }) {
      // In a namespace where nothing else allows it: what is asserted of the client is not known before it connects.
      const policy = policyFor({ namespace: 'bank', name: 'vault' }, 'allow', 'treasury');
      await exportAtEast('vault', { namespace: 'bank', policy });
      await write('west', ruleManifest({ exports: { namespaces: ['bank'] } }, 'from-bank'));
      await importReady('store/vault');
    },
  },
  {
    name: 'the owner denies clients of this namespace',
    target: `safe.store.${ZONE}:80`,
    hop: 'ingress',
    code: 'INGRESS_DENIED',
    subject: /^east\/shop\/safe$/,
    fix: /^at east: .*allow --namespace shop --export shop\/safe --from-peer west/,
    async bring({ exportAtEast, importReady }) {
      await exportAtEast('safe');
      await importReady('store/safe');
      await exportAtEast('safe', { policy: policyFor({ namespace: 'shop', name: 'safe' }, 'deny', 'default') });
    },
  },
  {
    name: 'nothing listens at the endpoint',
    target: `refusing.store.${ZONE}:80`,
    hop: 'dial',
    code: 'NO_USABLE_SOURCE',
    subject: /^east\/shop\/refusing$/,
    fix: /at east: see that the endpoints of shop\/refusing listen/,
    async bring({ exportAtEast, importReady, closedPort }) {
      await exportAtEast('refusing', { endpoints: `127.0.0.1:${await closedPort()}` });
      await importReady('store/refusing');
    },
  },
  {
    name: 'the endpoint does not answer',
    target: `silent.store.${ZONE}:80`,
    hop: 'dial',
    code: 'NO_USABLE_SOURCE',
    subject: /^east\/shop\/silent$/,
    fix: /at east: see that the endpoints of shop\/silent listen/,
    async bring({ exportAtEast, importReady, silentPort }) {
      await exportAtEast('silent', { endpoints: `127.0.0.1:${await silentPort()}` });
      await importReady('store/silent');
    },
  },
  {
    name: 'the endpoint is an import of this peer: a loop',
    target: `round.yard.${ZONE}:80`,
    hop: 'dial',
    code: 'TARGET_FORBIDDEN',
    subject: /^west\/own\/round$/,
    fix: /exports\.targets.*unless it is a gateway or an import/,
    async bring({ write, exportTexts, catalogAtWest }) {
      const rules = ruleManifest(
        { peers: { names: ['west'] }, exports: { namespaces: ['own'] }, into: { namespace: 'yard' } },
        'from-self',
      );
      const own = exportTexts('round', { namespace: 'own', endpoints: await catalogAtWest() });
      await write('west', [rules, own, stringify(policyManifest('yard'))].join('---\n'));
    },
  },
  {
    name: 'the endpoint is not ready',
    target: `resting.store.${ZONE}:80`,
    hop: 'endpoint',
    code: 'NO_USABLE_SOURCE',
    subject: /^east\/shop\/resting$/,
    fix: /the Service shop\/resting at east has endpoints that are ready/,
    async bring({ exportAtEast, importKnown }) {
      await exportAtEast('resting', { slice: { ready: false } });
      await importKnown('store/resting');
    },
  },
  {
    name: 'the Service has no endpoints',
    target: `hollow.store.${ZONE}:80`,
    hop: 'endpoint',
    code: 'NO_USABLE_SOURCE',
    subject: /^east\/shop\/hollow$/,
    fix: /the Service shop\/hollow at east has endpoints that are ready/,
    async bring({ exportAtEast, importKnown }) {
      await exportAtEast('hollow', { endpoints: undefined });
      await importKnown('store/hollow');
    },
  },
  {
    name: 'the process of the peer is stopped',
    target: `catalog.store.${ZONE}:80`,
    hop: 'session',
    code: 'PEER_UNREACHABLE',
    subject: /^east$/,
    fix: /the gateway of east runs/,
    bring: ({ stopEast }) => stopEast(),
  },
];
