import assert from 'node:assert/strict';
import { desiredExportConditions } from '#src/controllers/service-export/desired.ts';

const valid = { namespace: 'shop', name: 'db', valid: true, reason: 'Valid', message: '' } as const;
const invalid = {
  namespace: 'shop',
  name: 'db',
  valid: false,
  reason: 'NoService',
  message: 'There is no Service shop/db.',
} as const;

function brief(conditions: ReturnType<typeof desiredExportConditions>): string[] {
  return conditions.map(({ type, status, reason }) => `${type}=${status} ${reason}`);
}

describe('desiredExportConditions', () => {
  it('valid and alone → Valid, Ready, no conflict (CFL-28)', () => {
    assert.deepEqual(brief(desiredExportConditions({ generation: 1, verdict: valid, conflicts: [] })), [
      'Valid=True Valid',
      'Ready=True Ready',
      'Conflict=False NoConflicts',
    ]);
  });

  it('no Service → not valid, not ready, and no Conflict condition (EXP-09)', () => {
    const conflicts = [{ reasons: ['PortConflict'], loses: true, message: 'x' }];
    assert.deepEqual(brief(desiredExportConditions({ generation: 1, verdict: invalid, conflicts })), [
      'Valid=False NoService',
      'Ready=False Pending',
    ]);
  });

  it('several verdicts → reasons united in the order of CFL-12, each message once (CFL-11)', () => {
    const conflicts = [
      { reasons: ['SessionAffinityConflict', 'PortConflict'], loses: false, message: 'b' },
      { reasons: ['PortConflict', 'TypeConflict'], loses: true, message: 'a' },
      { reasons: [], loses: false, message: 'not told' },
      { reasons: ['PortConflict'], loses: true, message: 'a' },
    ];
    const conflict = desiredExportConditions({ generation: 3, verdict: valid, conflicts })[2];
    assert.deepEqual(conflict, {
      type: 'Conflict',
      status: 'True',
      reason: 'TypeConflict,PortConflict,SessionAffinityConflict',
      message: 'a\nb',
      observedGeneration: 3,
    });
  });

  it('a reason that no specification knows, from a peer → not repeated', () => {
    const conflicts = [{ reasons: ['Evil'], loses: true, message: 'x' }];
    assert.equal(desiredExportConditions({ generation: 1, verdict: valid, conflicts })[2]?.reason, 'NoConflicts');
  });
});
