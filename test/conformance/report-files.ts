/** Writes the report of a run, and reads that of the official suite. */
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as v from 'valibot';
import { parse } from 'yaml';
import { SUITE_REPORT_BYTES } from './limits.ts';
import { GROUPS, toReportYaml, type Report } from './report.ts';
import { toReportHtml } from './report-html.ts';

export const REPORT_FOLDER = fileURLToPath(new URL('../../build/conformance/', import.meta.url));

export async function writeReport(report: Report, folder = REPORT_FOLDER): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'report.yaml'), toReportYaml(report));
  await writeFile(join(folder, 'report.html'), toReportHtml(report));
}

// Go writes a list or text that was never set as null.
const Text = v.nullish(v.string(), '');
const Tests = v.array(
  v.object({
    desc: v.string(),
    ref: Text,
    labels: v.nullish(v.array(v.string()), []),
    passed: v.boolean(),
    failed: v.boolean(),
    skipped: v.boolean(),
    conformant: v.boolean(),
    message: Text,
  }),
);
const OfficialReport = v.object({
  groups: v.array(v.object({ name: v.picklist(GROUPS), tests: Tests })),
  suitefailure: Text,
  dnsdomain: Text,
  passed: v.number(),
  total: v.number(),
  implementation: v.object({ organization: Text, project: Text, version: Text, url: Text }),
});

/** A member that we do not know is passed over. @throws if it is not such a report, or larger than any could be. */
export function parseReport(text: string): Report {
  const report = v.parse(OfficialReport, parse(text));
  const groups = report.groups.map(({ name, tests }) => ({
    name,
    tests: tests.map((test) => ({ ...test, labels: [...new Set([name, ...test.labels])] })),
  }));
  return { ...report, groups };
}

export async function readReport(file: string): Promise<Report> {
  const { size } = await stat(file);
  if (size > SUITE_REPORT_BYTES) throw new Error(`${file} has ${size} bytes, which no report has`);
  return parseReport(await readFile(file, 'utf8'));
}
