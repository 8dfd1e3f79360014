import assert from 'node:assert/strict';
import { ourAnnotationProblems } from '#src/api/validation/our-annotations.ts';

const KEY = 'mcs.clusterlink.net/accept-loss';
const objectWith = (value: string) => ({ metadata: { annotations: { [KEY]: value } } });

describe('ourAnnotationProblems, accept-loss', () => {
  it('the time of a hold on a Peer → fine', () => {
    assert.deepEqual(ourAnnotationProblems('Peer', objectWith('2026-11-20T12:00:00Z')), []);
  });

  for (const value of ['', 'true', 'yes', '2026-11-20', '2026-02-30T12:00:00Z', '2026-11-20T12:00:00']) {
    it(`${JSON.stringify(value)} → refused: it could be meant for any loss (fail closed)`, () => {
      const [finding] = ourAnnotationProblems('Peer', objectWith(value));
      assert.match(finding?.message ?? '', /is not the time of a hold/);
      assert.match(finding?.fix ?? '', /RecordsHeld/);
    });
  }

  it('on another kind → refused', () => {
    const [finding] = ourAnnotationProblems('ServiceExport', objectWith('2026-11-20T12:00:00Z'));
    assert.match(finding?.message ?? '', /means nothing on a ServiceExport/);
  });
});
