/** All 27 tests, in the order of their ids. */
import type { ConformanceTest } from '../outcome.ts';
import { OPTIONAL_CONNECTIVITY } from './optional-connectivity.ts';
import { OPTIONAL_DNS } from './optional-dns.ts';
import { OPTIONAL_HEADLESS_DNS } from './optional-headless-dns.ts';
import { OPTIONAL_LABELS, OPTIONAL_SLICES } from './optional-properties.ts';
import { REQUIRED_IMPORTS } from './required-imports.ts';
import { REQUIRED_POLICIES } from './required-policies.ts';

const collator = new Intl.Collator('en');

export const TESTS: readonly ConformanceTest[] = [
  ...REQUIRED_IMPORTS,
  ...REQUIRED_POLICIES,
  ...[...OPTIONAL_DNS, ...OPTIONAL_HEADLESS_DNS, ...OPTIONAL_LABELS, ...OPTIONAL_CONNECTIVITY, ...OPTIONAL_SLICES].sort(
    (a, b) => collator.compare(a.id, b.id),
  ),
];
