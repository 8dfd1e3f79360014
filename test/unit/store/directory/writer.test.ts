import assert from 'node:assert/strict';
import { parse } from 'yaml';
import { renderManifest } from '#src/store/directory/writer.ts';

describe('renderManifest', () => {
  it('an object as a store gives it → YAML without status and without what the store added', () => {
    const object = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { namespace: 'shop', name: 'db', uid: 'u', resourceVersion: '1', generation: 1, labels: { app: 'db' } },
      spec: { ports: [{ name: 'pg', port: 5432 }] },
      status: { loadBalancer: {} },
    };
    const text = renderManifest(object);
    assert.equal(
      text,
      [
        'apiVersion: v1',
        'kind: Service',
        'metadata:',
        '  name: db',
        '  namespace: shop',
        '  labels:',
        '    app: db',
        'spec:',
        '  ports:',
        '    - name: pg',
        '      port: 5432',
        '',
      ].join('\n'),
    );
  });

  it('texts that look like something else → read back as they were', () => {
    const labels = { yes: 'no', number: '1', time: '12:30:45', empty: '', long: 'x '.repeat(200), lines: 'a\nb' };
    const object = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'db', labels } };
    assert.deepEqual(parse(renderManifest(object)), object);
  });
});
