/** What the home of imports adds to what the merge says of rules: pure. */
import { isDeepStrictEqual } from 'node:util';
import { formatKey, type ObjectKey } from '../../api/object.ts';
import { formatSource } from '../../api/record.ts';
import { SKIPPED_LISTED_MAX } from '../../merge/limits.ts';
import type { MergedImport, RuleStatus } from '../../merge/types.ts';
import type { Refusal } from './home.ts';

export interface RefusedImport extends Refusal {
  readonly merged: MergedImport;
}

/** Imports that could not be published count as skipped. */
export function withRefused(status: RuleStatus, refused: readonly RefusedImport[]): RuleStatus {
  const lost = refused.filter(
    ({ merged: { owner } }) => owner.kind === status.kind && isDeepStrictEqual(ownerKey(owner), status.key),
  );
  if (lost.length === 0) return status;
  const names = new Set(lost.map(({ merged }) => formatKey(merged.key)));
  const skipped = lost.flatMap(({ merged, reason, message }) =>
    merged.sources.map((source) => ({ source: formatSource(source), reason, message })),
  );
  return {
    ...status,
    imported: status.imported.filter(({ as }) => !names.has(as)),
    skipped: [...status.skipped, ...skipped].slice(0, SKIPPED_LISTED_MAX),
  };
}

function ownerKey({ namespace = '', name }: MergedImport['owner']): ObjectKey {
  return { namespace, name };
}
