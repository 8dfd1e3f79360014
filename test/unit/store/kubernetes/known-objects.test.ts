import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { KubeObject } from '#src/api/object.ts';
import type { JsonMap } from '#src/store/json.ts';
import { makeKnownObjects, type Write } from '#src/store/kubernetes/known-objects.ts';
import { receive, type Received } from '#src/store/kubernetes/received.ts';
import { exportOf, type ObjectParts } from './scripted-server.ts';

const KEY = { namespace: 'shop', name: 'db' };
const MANAGER = 'clusterlink-mcs-test';

/** The export as our manager applied it with this team. */
function at(version: number, team: string, parts: Partial<ObjectParts> = {}): Received {
  const fieldsV1 = { 'f:spec': { 'f:exportedLabels': { 'f:team': {} } } };
  const managedFields = [{ manager: MANAGER, operation: 'Apply', fieldsType: 'FieldsV1', fieldsV1 }];
  const received = receive(
    'ServiceExport',
    exportOf('db', { version, spec: { exportedLabels: { team } }, managedFields, ...parts }),
  );
  assert.ok(received !== undefined);
  return received;
}

function write(team: string, parts: Partial<Write> = {}): Write {
  return { manager: MANAGER, subresource: undefined, desired: { spec: { exportedLabels: { team } } }, ...parts };
}

function synced(...objects: readonly Received[]) {
  const known = makeKnownObjects('ServiceExport');
  known.replaced(objects);
  return known;
}

const versionOf = (object: KubeObject | undefined): string | undefined => object?.metadata?.resourceVersion;

describe('makeKnownObjects', () => {
  it('before the first list → nothing is without effect', () => {
    const known = makeKnownObjects('ServiceExport');
    known.changed(at(1, 'a'));
    assert.deepEqual([known.hasSynced, known.unchangedBy(KEY, write('a'))], [false, undefined]);
  });

  it('the same as was told → without effect; another value, manager, uid or version → not', () => {
    const known = synced(at(5, 'a'));
    assert.equal(versionOf(known.unchangedBy(KEY, write('a'))), '5');
    const rows: Partial<Write>[] = [
      { desired: { spec: { exportedLabels: { team: 'b' } } } },
      { desired: { spec: { exportedLabels: { team: 'a', tier: 'x' } } } },
      { desired: {} },
      { manager: 'clusterlink-mcs-other' },
      { subresource: 'status' },
      { uid: 'another' },
      { resourceVersion: '4' },
    ];
    for (const row of rows) assert.equal(known.unchangedBy(KEY, write('a', row)), undefined, JSON.stringify(row));
    assert.equal(versionOf(known.unchangedBy(KEY, write('a', { uid: 'uid of db', resourceVersion: '5' }))), '5');
    assert.equal(known.unchangedBy({ ...KEY, name: 'other' }, write('a')), undefined);
  });

  it('A -> B -> A before the watch has told of B → the second A is a change', () => {
    const known = synced(at(5, 'a'));
    known.wrote(at(6, 'b'), write('b'));
    assert.equal(known.unchangedBy(KEY, write('a')), undefined);
    assert.equal(versionOf(known.unchangedBy(KEY, write('b'))), '6');
    assert.equal(versionOf(known.list()[0]), '5', 'readers see the watch');
    known.changed(at(6, 'b'));
    assert.equal(versionOf(known.unchangedBy(KEY, write('b'))), '6');
    known.changed(at(7, 'a'));
    assert.equal(versionOf(known.unchangedBy(KEY, write('a'))), '7');
  });

  it('an older event after an own write → the own write stays the newest', () => {
    const known = synced(at(5, 'a'));
    known.wrote(at(9, 'b'), write('b'));
    known.changed(at(7, 'a'));
    assert.equal(known.unchangedBy(KEY, write('a')), undefined);
    known.changed(at(10, 'a'));
    assert.equal(versionOf(known.unchangedBy(KEY, write('a'))), '10');
  });

  it('an answer that comes after the watch has told more → the watch is newer', () => {
    const known = synced(at(5, 'a'));
    known.changed(at(6, 'b'));
    known.changed(at(7, 'c'));
    known.wrote(at(6, 'b'), write('b'));
    assert.equal(known.unchangedBy(KEY, write('b')), undefined);
    assert.equal(versionOf(known.unchangedBy(KEY, write('c'))), '7');
  });

  it('made and deleted while the answer was on its way → unknown: the next write is sent', () => {
    const known = synced();
    known.changed(at(6, 'a'));
    known.deleted(at(8, 'a'));
    known.wrote(at(6, 'a'), write('a'));
    assert.equal(known.unchangedBy(KEY, write('a')), undefined);
  });

  it('an own write made it again before the watch told that the old one went → the new one stays known', () => {
    const known = synced(at(5, 'a'));
    known.wrote(at(9, 'a', { uid: 'new' }), write('a'));
    known.deleted(at(7, 'a'));
    assert.equal(versionOf(known.unchangedBy(KEY, write('a'))), '9');
    known.wrote(at(10, 'b', { uid: 'new' }), write('b'));
    known.deleted(at(11, 'b', { uid: 'new' }));
    assert.equal(known.unchangedBy(KEY, write('b')), undefined);
  });

  it('doubt, after a delete or a write without an answer → nothing is without effect until the next answer', () => {
    const known = synced(at(5, 'a'));
    known.doubt(KEY);
    assert.equal(known.unchangedBy(KEY, write('a')), undefined);
    known.changed(at(6, 'a'));
    assert.equal(known.unchangedBy(KEY, write('a')), undefined, 'the write may come after this event');
    known.wrote(at(6, 'a'), write('a'));
    assert.equal(versionOf(known.unchangedBy(KEY, write('a'))), '6');
  });

  it('deleted and made again under another uid → told as both; the doubt ends', () => {
    const known = synced(at(5, 'a'));
    known.doubt(KEY);
    const { recreated, object } = known.changed(at(8, 'a', { uid: 'new' }));
    assert.deepEqual([recreated?.metadata?.uid, object.metadata?.uid], ['uid of db', 'new']);
    assert.equal(versionOf(known.unchangedBy(KEY, write('a'))), '8');
  });

  it('a list with another uid under the name → reported; the same version → the same object', () => {
    const first = at(5, 'a');
    const known = synced(first);
    assert.deepEqual(known.replaced([at(5, 'a')]), []);
    assert.equal(known.list()[0], first.object);
    assert.deepEqual(
      known.replaced([at(9, 'a', { uid: 'new' })]).map(({ metadata }) => metadata?.uid),
      ['uid of db'],
    );
  });

  it('a list older than an own write → the own write stays; an object that it does not have → unknown', () => {
    const known = synced(at(5, 'a'));
    known.wrote(at(9, 'b'), write('b'));
    known.replaced([at(7, 'a')]);
    assert.equal(known.unchangedBy(KEY, write('a')), undefined);
    known.replaced([]);
    assert.equal(known.unchangedBy(KEY, write('b')), undefined);
    assert.deepEqual(known.list(), []);
  });

  it('what the server did not keep of a write → the same write is not sent again until the object changes', () => {
    const known = synced(at(5, 'a'));
    const desired: JsonMap = { spec: { exportedLabels: { team: 'a' }, unknown: 1 } };
    known.wrote(at(5, 'a'), write('a', { desired }));
    assert.equal(versionOf(known.unchangedBy(KEY, write('a', { desired }))), '5');
    assert.equal(known.unchangedBy(KEY, write('a', { desired: { spec: { unknown: 2 } } })), undefined);
    known.changed(at(6, 'a'));
    assert.equal(known.unchangedBy(KEY, write('a', { desired })), undefined);
  });

  it('the same, when the answer came before the watch → kept when the watch tells that version', () => {
    const known = synced(at(5, 'a'));
    const desired: JsonMap = { spec: { unknown: 1 } };
    known.wrote(at(6, 'b'), write('b', { desired }));
    known.changed(at(6, 'b'));
    assert.equal(versionOf(known.unchangedBy(KEY, write('b', { desired }))), '6');
  });

  it('versions that are no numbers → never compared: every write is sent after an own one', () => {
    const named = (version: string, team: string): Received => ({ ...at(1, team), resourceVersion: version });
    const known = synced(named('x', 'a'));
    known.wrote(named('y', 'b'), write('b'));
    assert.equal(known.unchangedBy(KEY, write('b')), undefined);
    assert.equal(known.unchangedBy(KEY, write('a')), undefined);
  });

  it('any order of answers and events of one history → no write that would change the newest is ever skipped', () => {
    // A history of one object: version n has team teams[n]. Every version is told once, in order; each may be answered before.
    const teams = fc.array(fc.constantFrom('a', 'b'), { minLength: 2, maxLength: 8 });
    fc.assert(
      fc.property(teams, fc.array(fc.boolean(), { maxLength: 24 }), (history, order) => {
        const known = synced();
        let [told, answered] = [0, 0];
        for (const isAnswer of order) {
          if (isAnswer && answered < history.length) {
            answered += 1;
            known.wrote(at(answered, history[answered - 1] ?? ''), write(history[answered - 1] ?? ''));
          } else if (told < history.length) {
            told += 1;
            known.changed(at(told, history[told - 1] ?? ''));
          }
          const newest = history[Math.max(told, answered) - 1];
          for (const team of ['a', 'b']) {
            const isSkipped = known.unchangedBy(KEY, write(team)) !== undefined;
            if (isSkipped) assert.equal(team, newest);
          }
        }
      }),
    );
  });
});
