/** The exported labels and annotations that an import carries: they come from another owner, so only what the rule lets in. */
import { exportableAnnotations, exportableLabels } from '../catalogue/exported-keys.ts';
import type { ExportRecord } from '../api/record.ts';

export interface ImportedMetadata {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/**
 * One export's maps, never merged with another's (IMP-27). Reserved keys never pass, whatever the rule says (IMP-28); nor does
 * what the API server would refuse, which would keep the whole import from being written.
 *
 * @param allow - prefixes of keys, of the rule; the empty prefix lets all in.
 */
export function importedMetadata({ labels, annotations }: ExportRecord, allow: readonly string[]): ImportedMetadata {
  return {
    labels: exportableLabels(pickAllowed(labels, allow)),
    annotations: exportableAnnotations(pickAllowed(annotations, allow)),
  };
}

function pickAllowed(map: Readonly<Record<string, string>> = {}, allow: readonly string[]): Record<string, string> {
  return Object.fromEntries(Object.entries(map).filter(([key]) => allow.some((prefix) => key.startsWith(prefix))));
}
