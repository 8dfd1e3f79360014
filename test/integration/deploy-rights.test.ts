/** What the shipped roles and the admission policy let our accounts and people do, on a real API server. */
import assert from 'node:assert/strict';
import { startApiServer, type ApiServer } from '#test/support/api-server/api-server.ts';
import { applyManifests, createNamespace, readManifests } from '#test/support/api-server/manifests.ts';
import type { Manifest, Reply, Rest } from '#test/support/api-server/rest.ts';
import { waitFor } from '#test/support/wait.ts';

const SYSTEM = 'clusterlink-system';
const OURS = { 'app.kubernetes.io/managed-by': 'clusterlink-mcs' };
const MCS = 'multicluster.x-k8s.io/v1beta1';
const ACCOUNT_GROUPS = ['system:serviceaccounts', `system:serviceaccounts:${SYSTEM}`, 'system:authenticated'];
const RIGHTS = ['namespace', 'gateway-rbac', 'controller-rbac', 'dns-rbac', 'user-roles', 'admission'];
const account = (component: string): string => `system:serviceaccount:${SYSTEM}:clusterlink-mcs-${component}`;

interface Answer {
  readonly message?: string;
}

describe('manifests/base, rights', function () {
  this.timeout(120_000);
  let server: ApiServer;

  before(async () => {
    server = await startApiServer();
    await applyManifests(server.admin, await readManifests(RIGHTS.map((name) => `manifests/base/${name}.yaml`)));
    await createNamespace(server.admin, 'shop');
  });
  after(() => server.close());

  describe('roles', () => {
    /** `verb resource[/subresource][.group] [namespace][/name]` */
    async function may(user: string, wish: string): Promise<boolean> {
      const [verb = '', what = '', where = ''] = wish.split(' ');
      const [, resource, subresource = '', group = ''] = /^([^./]+)(?:\/([^.]+))?(?:\.(.+))?$/.exec(what) ?? [];
      const [namespace = '', name = ''] = where.split('/');
      const resourceAttributes = { verb, resource, subresource, group, namespace, name };
      const { status, body } = await server.admin.request<{ status: { allowed: boolean } }>(
        'POST',
        '/apis/authorization.k8s.io/v1/subjectaccessreviews',
        {
          body: {
            apiVersion: 'authorization.k8s.io/v1',
            kind: 'SubjectAccessReview',
            spec: { user, resourceAttributes },
          },
        },
      );
      assert.equal(status, 201);
      return body.status.allowed;
    }
    const ours = 'mcs.clusterlink.net';
    const shared = 'clusterlink.net';
    const mcs = 'multicluster.x-k8s.io';

    const TABLE: Readonly<Record<string, { readonly yes: readonly string[]; readonly no: readonly string[] }>> = {
      [account('gateway')]: {
        yes: [
          ...['services', 'pods', 'nodes', 'namespaces', `serviceexports.${mcs}`, `accesspolicies.${shared}`].map(
            (what) => `watch ${what}`,
          ),
          ...['endpointslices.discovery.k8s.io', `privilegedaccesspolicies.${shared}`].map((what) => `list ${what}`),
          ...['get', 'list', 'watch'].map((verb) => `${verb} baselineaccesspolicies.${ours}`),
          ...['list', 'create', 'patch', 'delete'].map((verb) => `${verb} peerrecords.${ours} ${SYSTEM}`),
          `watch peers.${shared} ${SYSTEM}`,
          `patch peers/status.${shared} ${SYSTEM}`,
          `watch importbindings.${ours} ${SYSTEM}`,
          `patch importbindings/status.${ours} ${SYSTEM}`,
          `create leases.coordination.k8s.io ${SYSTEM}`,
          `update leases.coordination.k8s.io ${SYSTEM}/clusterlink-mcs-exchange`,
          'create events.events.k8s.io shop',
          `watch exports.${shared}`,
          `get serviceimports.${mcs} shop`,
          `get imports.${shared} shop`,
        ],
        no: [
          ...['create', 'patch', 'delete'].map((verb) => `${verb} services shop`),
          ...['create', 'patch'].map((verb) => `${verb} serviceimports.${mcs} shop`),
          `patch serviceexports/status.${mcs} shop`,
          `patch exports/status.${shared} shop`,
          `create peerrecords.${ours} shop`,
          `patch importbindings.${ours} ${SYSTEM}`,
          `patch peers.${shared} ${SYSTEM}`,
          `update leases.coordination.k8s.io ${SYSTEM}/clusterlink-mcs-controller`,
          `get secrets ${SYSTEM}`,
          'create pods shop',
          'create pods/exec shop',
        ],
      },
      [account('controller')]: {
        yes: [
          ...['watch', 'create', 'patch', 'delete'].flatMap((verb) =>
            ['services', 'endpointslices.discovery.k8s.io', `serviceimports.${mcs}`].map(
              (what) => `${verb} ${what} shop`,
            ),
          ),
          ...['serviceexports', 'serviceimports'].map((what) => `patch ${what}/status.${mcs} shop`),
          `watch exports.${shared} shop`,
          `patch exports/status.${shared} shop`,
          // Narrowed to one annotation by the admission policy below.
          `patch serviceexports.${mcs} shop`,
          ...['importrules', 'clusterimportrules', 'baselineaccesspolicies'].map(
            (what) => `patch ${what}/status.${ours}`,
          ),
          ...['accesspolicies', 'privilegedaccesspolicies'].map((what) => `patch ${what}/status.${shared}`),
          ...['create', 'patch', 'delete'].map((verb) => `${verb} importbindings.${ours} ${SYSTEM}`),
          `patch importbindings/status.${ours} ${SYSTEM}`,
          `watch peerrecords.${ours} ${SYSTEM}`,
          `watch pods ${SYSTEM}`,
          'watch namespaces',
          ...['create', 'patch'].map((verb) => `${verb} clusterproperties.about.k8s.io`),
          `update leases.coordination.k8s.io ${SYSTEM}/clusterlink-mcs-controller`,
          'create events.events.k8s.io shop',
        ],
        no: [
          `create serviceexports.${mcs} shop`,
          `delete serviceexports.${mcs} shop`,
          `patch exports.${shared} shop`,
          `patch importrules.${ours} shop`,
          `create accesspolicies.${shared} shop`,
          `patch peerrecords.${ours} ${SYSTEM}`,
          `patch peers/status.${shared} ${SYSTEM}`,
          `create importbindings.${ours} shop`,
          `update leases.coordination.k8s.io ${SYSTEM}/clusterlink-mcs-exchange`,
          `get secrets ${SYSTEM}`,
          'list pods',
          'create pods shop',
          'delete namespaces',
          'create clusterroles.rbac.authorization.k8s.io',
        ],
      },
      [account('dns')]: {
        yes: ['get', 'list', 'watch'].map((verb) => `${verb} importbindings.${ours} ${SYSTEM}`),
        no: [
          `list importbindings.${ours}`,
          `patch importbindings.${ours} ${SYSTEM}`,
          'list services',
          `get secrets ${SYSTEM}`,
        ],
      },
      // The roles are bound here by themselves: no controller of Kubernetes runs that would add them to view, edit and admin.
      'user of view': {
        yes: [
          `get serviceimports.${mcs} shop`,
          `list serviceexports.${mcs} shop`,
          `get importrules.${ours} shop`,
          `list exports.${shared} shop`,
        ],
        no: [`create exports.${shared} shop`, `create serviceexports.${mcs} shop`, `get clusterimportrules.${ours}`],
      },
      'user of edit': {
        yes: ['create', 'update', 'patch', 'delete'].flatMap((verb) => [
          `${verb} serviceexports.${mcs} shop`,
          `${verb} exports.${shared} shop`,
        ]),
        no: [
          ...['create', 'update', 'patch', 'delete'].map((verb) => `${verb} serviceimports.${mcs} shop`),
          `create accesspolicies.${shared} shop`,
          `patch serviceexports/status.${mcs} shop`,
        ],
      },
      'user of admin': {
        yes: [`create accesspolicies.${shared} shop`, `patch importrules.${ours} shop`],
        no: [
          ...['create', 'update', 'patch'].map((verb) => `${verb} serviceimports.${mcs} shop`),
          `create clusterimportrules.${ours}`,
          `create privilegedaccesspolicies.${shared}`,
        ],
      },
    };

    before(async () => {
      for (const role of ['view', 'edit', 'admin']) {
        await server.admin.apply({
          apiVersion: 'rbac.authorization.k8s.io/v1',
          kind: 'RoleBinding',
          metadata: { name: role, namespace: 'shop' },
          roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: `clusterlink-mcs-${role}` },
          subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: `user of ${role}` }],
        });
      }
      await waitFor('the bindings are in force', () => may('user of admin', `create accesspolicies.${shared} shop`));
    });

    for (const [user, { yes, no }] of Object.entries(TABLE)) {
      it(`${user} → may what it needs and nothing more (EXP-24)`, async () => {
        const wishes = await Promise.all([...yes, ...no].map(async (wish) => [wish, await may(user, wish)] as const));
        assert.deepEqual(
          wishes.filter(([, allowed]) => allowed).map(([wish]) => wish),
          yes,
        );
      });
    }
  });

  describe('admission policy', () => {
    let controller: Rest;
    const service = (labels: object, spec: object = {}): Manifest => ({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace: 'shop', labels },
      spec: { ports: [{ port: 80, protocol: 'TCP' }], ...spec },
    });
    const serviceImport = (spec: object, metadata: object = {}): Manifest => ({
      apiVersion: MCS,
      kind: 'ServiceImport',
      metadata: { name: 'asked', namespace: 'shop', ...metadata },
      spec: { type: 'ClusterSetIP', ports: [{ port: 80, protocol: 'TCP' }], ...spec },
    });
    const asked = '/apis/multicluster.x-k8s.io/v1beta1/namespaces/shop/serviceimports/asked';
    const web = '/api/v1/namespaces/shop/services/web';

    before(async () => {
      controller = await server.restFor(account('controller'), ACCOUNT_GROUPS);
      // The server compiles policies some time after they are written.
      await waitFor(
        'the policy is in force',
        async () => (await controller.apply(service({}), { dryRun: 'All' })).status === 422,
      );
    });

    async function refused(reply: Promise<Reply<unknown>>, words: RegExp): Promise<void> {
      const { status, body } = (await reply) as Reply<Answer>;
      assert.equal(status, 422, body.message ?? '');
      assert.match(body.message ?? '', words);
    }

    it('a Service without our label → refused; with it → made, changed and deleted', async () => {
      await refused(controller.apply(service({})), /labelled as its own/);
      assert.equal((await controller.apply(service(OURS))).status, 201);
      assert.equal((await controller.apply(service(OURS, { ports: [{ port: 81, protocol: 'TCP' }] }))).status, 200);
      await refused(controller.request('PATCH', web, { body: { metadata: { labels: null } } }), /labelled as its own/);
      assert.equal((await controller.request('DELETE', web)).status, 200);
    });

    for (const [what, spec] of Object.entries({
      'with a selector': { selector: { app: 'victim' } },
      'of type NodePort': { type: 'NodePort' },
      'of type LoadBalancer': { type: 'LoadBalancer' },
      'with an external address': { externalIPs: ['203.0.113.9'] },
    })) {
      it(`a Service ${what} in a namespace of a tenant → refused`, () =>
        refused(controller.apply(service(OURS, spec)), /makes Services/));
    }

    it("somebody else's Service → neither taken, nor changed, nor deleted", async () => {
      assert.equal((await server.admin.apply(service({ app: 'web' }))).status, 201);
      await refused(controller.apply(service(OURS)), /only objects that it made/);
      await refused(
        controller.request('PATCH', web, { body: { spec: { sessionAffinity: 'ClientIP' } } }),
        /only objects that it made/,
      );
      await refused(controller.request('DELETE', web), /only objects that it made/);
      assert.equal((await server.admin.request('DELETE', web)).status, 200);
    });

    it('our label taken off a Service that our controller applied → put back; not on one that it did not apply', async () => {
      const fieldManager = 'clusterlink-mcs-controller';
      assert.equal((await controller.apply(service(OURS), { fieldManager })).status, 201);
      const body = { metadata: { labels: { 'app.kubernetes.io/managed-by': null } } };
      assert.equal((await server.admin.request('PATCH', web, { body })).status, 200);
      assert.equal((await controller.apply(service(OURS), { fieldManager })).status, 200);
      assert.equal((await controller.request('DELETE', web)).status, 200);
      assert.equal((await server.admin.apply(service({}))).status, 201);
      await refused(controller.apply(service(OURS), { fieldManager }), /only objects that it made/);
      assert.equal((await server.admin.request('DELETE', web)).status, 200);
    });

    it('an EndpointSlice → by its label too', async () => {
      const slice = (labels: object): Manifest => ({
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { name: 'web', namespace: 'shop', labels },
        addressType: 'IPv4',
        endpoints: [{ addresses: ['10.244.0.9'] }],
      });
      await refused(controller.apply(slice({})), /labelled as its own/);
      assert.equal((await controller.apply(slice(OURS))).status, 201);
      assert.equal((await controller.request('DELETE', await controller.pathOf(slice({})))).status, 200);
    });

    it('events → our own alone are written, and those of others stay as they are', async () => {
      const gateway = await server.restFor(account('gateway'), ACCOUNT_GROUPS);
      const event = (name: string, reportingController: string): Manifest => ({
        apiVersion: 'events.k8s.io/v1',
        kind: 'Event',
        metadata: { name, namespace: 'shop' },
        eventTime: '2026-11-20T12:00:00.000000Z',
        ...{ reportingController, reportingInstance: 'x', action: 'OpenConnection', reason: 'EgressDenied' },
        ...{ type: 'Warning', note: 'x', regarding: { kind: 'Service', namespace: 'shop', name: 'web' } },
      });
      const post = (rest: Rest, body: Manifest): Promise<Reply<unknown>> =>
        rest.request('POST', '/apis/events.k8s.io/v1/namespaces/shop/events', { body });
      const again = { series: { count: 2, lastObservedTime: '2026-11-20T12:01:00.000000Z' } };
      const patch = (name: string, body: object): Promise<Reply<unknown>> =>
        gateway.request('PATCH', `/apis/events.k8s.io/v1/namespaces/shop/events/${name}`, { body });
      await refused(post(gateway, event('made-up', 'kubelet')), /reports itself/);
      assert.equal((await post(gateway, event('ours', 'mcs.clusterlink.net/gateway'))).status, 201);
      assert.equal((await patch('ours', again)).status, 200);
      assert.equal((await post(server.admin, event('theirs', 'kubelet'))).status, 201);
      await refused(patch('theirs', again), /reports itself/);
    });

    it("a user's ServiceImport → gets addresses and status; nothing else of it changes, and it stays", async () => {
      assert.equal((await server.admin.apply(serviceImport({}, { labels: { app: 'db' } }))).status, 201);
      const patch = (body: object): Promise<Reply<unknown>> => controller.request('PATCH', asked, { body });
      assert.equal((await patch({ spec: { ips: ['10.96.0.9'], ipFamilies: ['IPv4'] } })).status, 200);
      assert.equal((await patch({ spec: { ips: ['10.96.0.8'] } })).status, 200);
      const status = { clusters: [{ cluster: 'east' }] };
      const reply = await controller.apply(
        { apiVersion: MCS, kind: 'ServiceImport', metadata: { name: 'asked', namespace: 'shop' }, status },
        { subresource: 'status' },
      );
      assert.equal(reply.status, 200);
      for (const body of [
        { spec: { type: 'Headless' } },
        { spec: { ports: [] } },
        { spec: { sessionAffinity: 'ClientIP' } },
        { metadata: { labels: { more: 'x' } } },
        { metadata: { labels: { app: null } } },
        { metadata: { labels: OURS } },
        { metadata: { annotations: { more: 'x' } } },
        { metadata: { finalizers: ['mcs.clusterlink.net/x'] } },
      ]) {
        await refused(patch(body), /only objects that it made/);
      }
      await refused(controller.request('DELETE', asked), /only objects that it made/);
      assert.equal((await patch({ spec: { ips: null, ipFamilies: null } })).status, 200);
    });

    it("a user's ServiceExport → gets the note of its first port and status; nothing else of it changes, and it stays", async () => {
      const exported = (metadata: object, spec: object = {}): Manifest => ({
        apiVersion: MCS,
        kind: 'ServiceExport',
        metadata: { name: 'db', namespace: 'shop', ...metadata },
        ...spec,
      });
      const db = '/apis/multicluster.x-k8s.io/v1beta1/namespaces/shop/serviceexports/db';
      const noted = (port: string): Manifest => exported({ annotations: { 'mcs.clusterlink.net/first-port': port } });
      const options = { fieldManager: 'clusterlink-mcs-controller' };
      const theirs = { labels: { ...OURS, app: 'db' }, annotations: { note: 'x' } };
      // An apply to one that has gone must not bring it back.
      assert.equal((await controller.apply(exported(theirs))).status, 403);
      assert.equal((await server.admin.apply(exported(theirs, { spec: { exportedLabels: { a: 'b' } } }))).status, 201);
      assert.equal((await controller.apply(noted('5432'), options)).status, 200);
      assert.equal((await controller.apply(noted('6432'), options)).status, 200);
      const status = { conditions: [] };
      assert.equal((await controller.apply(exported({}, { status }), { subresource: 'status' })).status, 200);
      const patch = (body: object): Promise<Reply<unknown>> => controller.request('PATCH', db, { body });
      for (const body of [
        { spec: null },
        { spec: { exportedLabels: { a: 'c' } } },
        { metadata: { labels: { app: null } } },
        { metadata: { annotations: { note: null } } },
        { metadata: { annotations: { note: 'y' } } },
        { metadata: { annotations: { 'mcs.clusterlink.net/export-to': 'west' } } },
        { metadata: { finalizers: ['mcs.clusterlink.net/x'] } },
      ]) {
        await refused(patch(body), /writes one annotation/);
      }
      assert.equal((await controller.request('DELETE', db)).status, 403);
      assert.equal(
        (await patch({ metadata: { annotations: { 'mcs.clusterlink.net/first-port': null } } })).status,
        200,
      );
      // One without annotations and labels before.
      assert.equal((await server.admin.apply(exported({ name: 'web' }))).status, 201);
      const web = exported({ name: 'web', annotations: { 'mcs.clusterlink.net/first-port': '80' } });
      assert.equal((await controller.apply(web, options)).status, 200);
    });

    it('a ServiceImport of ours → label at birth, then free', async () => {
      const ours = (metadata: object, spec: object = {}): Manifest => {
        const { metadata: base, ...rest } = serviceImport(spec);
        return { ...rest, metadata: { ...base, name: 'ours', ...metadata } };
      };
      await refused(controller.apply(ours({})), /labelled as its own/);
      assert.equal((await controller.apply(ours({ labels: OURS }))).status, 201);
      assert.equal((await controller.apply(ours({ labels: OURS }, { type: 'Headless' }))).status, 200);
    });

    it('people → not concerned', async () => {
      assert.equal((await server.admin.apply(service({ app: 'web' }, { selector: { app: 'web' } }))).status, 201);
      assert.equal((await server.admin.request('DELETE', web)).status, 200);
    });
  });
});
