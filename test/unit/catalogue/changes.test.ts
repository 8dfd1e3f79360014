import assert from 'node:assert/strict';
import type { IEndpointSlice } from '#src/api/generated/EndpointSlice.ts';
import type { IExport } from '#src/api/generated/Export.ts';
import { formatKey, type ObjectKey } from '#src/api/object.ts';
import { onCatalogueChange } from '#src/catalogue/changes.ts';

const key = (text: string): ObjectKey => {
  const [namespace = '', name = ''] = text.split('/');
  return { namespace, name };
};

function makeSlice(text: string, service: string): IEndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { ...key(text), labels: { 'kubernetes.io/service-name': service } },
    addressType: 'IPv4',
    endpoints: [],
  };
}

/** A cache whose objects the test sets. */
function makeCache<T>(objects: Record<string, T> = {}) {
  const present = new Map(Object.entries(objects));
  const listeners = new Set<(key: ObjectKey) => void>();
  return {
    get: (at: ObjectKey) => present.get(formatKey(at)),
    list: () => [...present.values()],
    onChange(listener: (key: ObjectKey) => void) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    set(text: string, object: T | undefined) {
      if (object === undefined) present.delete(text);
      else present.set(text, object);
      for (const listener of listeners) listener(key(text));
    },
  };
}

describe('onCatalogueChange', () => {
  function scene(slices: Record<string, IEndpointSlice> = {}) {
    const caches = {
      ServiceExport: makeCache<object>({ 'shop/db': {} }),
      Export: makeCache<IExport>(),
      Service: makeCache<object>(),
      EndpointSlice: makeCache(slices),
    };
    let calls = 0;
    const stop = onCatalogueChange(caches, () => calls++);
    return { ...caches, stop, calls: () => calls };
  }

  it('an export, or the Service of one → told; any other Service → not', () => {
    const { ServiceExport, Service, calls } = scene();
    ServiceExport.set('shop/web', {});
    Service.set('shop/db', {});
    assert.equal(calls(), 2);
    Service.set('bank/db', {});
    assert.equal(calls(), 2);
  });

  const CASES: Readonly<Record<string, { before?: IEndpointSlice; after?: IEndpointSlice; told: boolean }>> = {
    'of an export': { after: makeSlice('shop/x', 'db'), told: true },
    'of another Service': { after: makeSlice('shop/x', 'other'), told: false },
    'of the same name in another namespace': { after: makeSlice('bank/x', 'db'), told: false },
    'of an export, which is gone': { before: makeSlice('shop/x', 'db'), told: true },
    'of another Service, which is gone': { before: makeSlice('shop/x', 'other'), told: false },
    'taken away from an export': { before: makeSlice('shop/x', 'db'), after: makeSlice('shop/x', 'other'), told: true },
  };
  for (const [title, { before, after, told }] of Object.entries(CASES)) {
    it(`a slice ${title} → ${told ? 'told' : 'not told'}`, () => {
      const object = after ?? before;
      const text = formatKey(key(`${object?.metadata?.namespace}/${object?.metadata?.name}`));
      const { EndpointSlice, calls } = scene(before === undefined ? {} : { [text]: before });
      EndpointSlice.set(text, after);
      assert.equal(calls(), told ? 1 : 0);
    });
  }

  it('a ClusterLink Export, the Service behind it and its slices → told; of a host → the Export alone', () => {
    const { Export, Service, EndpointSlice, calls } = scene();
    const clusterlinkExport = (host: string): IExport => ({
      apiVersion: 'clusterlink.net/v1alpha1',
      kind: 'Export',
      metadata: key('shop/api'),
      spec: { host, port: 80 },
    });
    Export.set('shop/api', clusterlinkExport('web.shop.svc'));
    Service.set('shop/web', {});
    EndpointSlice.set('shop/x', makeSlice('shop/x', 'web'));
    assert.equal(calls(), 3);
    Service.set('shop/api', {});
    assert.equal(calls(), 3, 'it names another Service');
    Export.set('shop/api', clusterlinkExport('web.bank.svc'));
    Service.set('shop/web', {});
    assert.equal(calls(), 4, 'it names a host now');
  });

  it('a slice that was there before its export, and goes → told', () => {
    const { ServiceExport, EndpointSlice, calls } = scene({ 'shop/x': makeSlice('shop/x', 'web') });
    ServiceExport.set('shop/web', {});
    EndpointSlice.set('shop/x', undefined);
    assert.equal(calls(), 2);
  });

  it('stopped → not told', () => {
    const { ServiceExport, stop, calls } = scene();
    stop();
    ServiceExport.set('shop/web', {});
    assert.equal(calls(), 0);
  });
});
