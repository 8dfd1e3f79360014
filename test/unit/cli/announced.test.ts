import assert from 'node:assert/strict';
import type { IImportBinding, ImportBindingStatusGateway } from '#src/api/generated/ImportBinding.ts';
import { compareAnnounced } from '#src/cli/run/cluster/announced.ts';

const OTHERS = new Set(['old-1', 'old-2']);

/** A binding of which each of these gateways has said that it listens at some ports. */
function binding(said: Readonly<Record<string, readonly number[]>>): IImportBinding {
  const gateways = Object.entries(said).map(([name, listening]): ImportBindingStatusGateway => ({
    name,
    listening: [...listening],
    sources: [],
  }));
  return { apiVersion: 'mcs.clusterlink.net/v1alpha1', kind: 'ImportBinding', status: { gateways } } as IImportBinding;
}

describe('compareAnnounced', () => {
  const compare = (...bindings: IImportBinding[]): string => {
    const { due, told } = compareAnnounced(bindings, { own: 'new', others: OTHERS });
    return `${told}/${due}`;
  };

  it('every port that another listens on → told', () => {
    assert.equal(compare(binding({ 'old-1': [20_001, 20_002], 'old-2': [20_001], new: [20_002, 20_001] })), '1/1');
  });

  it('a port less than another, or nothing said yet → due', () => {
    assert.equal(compare(binding({ 'old-1': [20_001, 20_002], new: [20_001] })), '0/1');
    assert.equal(compare(binding({ 'old-2': [20_001] })), '0/1');
  });

  it('no other listens for it → not waited for', () => {
    assert.equal(compare(binding({}), binding({ 'old-1': [] }), binding({ new: [20_001] })), '0/0');
  });

  it('somebody who is not ready any more has said so → not waited for', () => {
    assert.equal(compare(binding({ gone: [20_001] })), '0/0');
  });

  it('nothing has a status → nothing is due', () => {
    const { apiVersion, kind } = binding({});
    assert.equal(compare({ apiVersion, kind } as IImportBinding), '0/0');
  });
});
