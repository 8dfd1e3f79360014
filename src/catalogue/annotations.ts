/** The annotations of ours on an export and its Service; one that cannot be read is an error (fail closed, DESIGN §5). */
import { ANNOTATIONS } from '../api/names.ts';
import { compareText, type ObjectMeta } from '../api/object.ts';
import { formatPath } from '../api/validation/finding.ts';
import { ourAnnotationProblems } from '../api/validation/our-annotations.ts';

/**
 * A sentence on the first one that is unknown or cannot be read. Validation refused the object before, where it had the
 * chance; through an API server it may not have had it.
 */
export function findAnnotationProblem(
  kind: 'ServiceExport' | 'Export' | 'Service',
  metadata: ObjectMeta | undefined,
): string | undefined {
  const [finding] = ourAnnotationProblems(kind, { metadata });
  return finding === undefined ? undefined : `${formatPath(finding.path)}: ${finding.message}. Fix: ${finding.fix}`;
}

/** The peers that alone may use an export, in order of name; undefined when the export does not narrow itself. */
export function parseExportTo(metadata: ObjectMeta | undefined): string[] | undefined {
  const text = metadata?.annotations?.[ANNOTATIONS.exportTo];
  if (text === undefined) return undefined;
  return [...new Set(text.split(',').map((word) => word.trim()))].sort(compareText);
}
