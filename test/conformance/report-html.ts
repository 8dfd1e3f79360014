/** report.html: one page that needs nothing else. Pure. */
import { verdictOf, type Report, type ReportedTest } from './report.ts';

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Messages quote what pods and servers said. */
export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '');

const STYLE = `
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; color: #1b1f24; }
table { border-collapse: collapse; width: 100%; margin-bottom: 2rem; }
th, td { border: 1px solid #d0d7de; padding: .4rem .6rem; text-align: left; vertical-align: top; }
th { background: #f6f8fa; }
.labels { color: #57606a; font-size: .85em; }
.message { font: .85em/1.4 ui-monospace, monospace; overflow-wrap: anywhere; }
.Yes { background: #dafbe1; } .No { background: #ffebe9; } .Unknown { background: #fff8c5; } .Skipped { background: #eaeef2; }
.failure { border-left: 4px solid #cf222e; padding: .5rem 1rem; background: #ffebe9; }
@media (prefers-color-scheme: dark) {
  body { background: #0d1117; color: #e6edf3; } th { background: #161b22; } th, td { border-color: #30363d; }
  a { color: #58a6ff; } .labels { color: #8b949e; }
  .Yes { background: #12361f; } .No, .failure { background: #4c1d20; } .Unknown { background: #453a10; } .Skipped { background: #21262d; }
}`;

export function toReportHtml(report: Report): string {
  const { implementation, suitefailure, dnsdomain, passed, total } = report;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Multi-Cluster Services API conformance</title>
<style>${STYLE}
</style>
</head>
<body>
<h1>Multi-Cluster Services API conformance</h1>
<p>${passed} of ${total} tests passed. Zone: ${escapeHtml(dnsdomain)}.</p>
${suitefailure === '' ? '' : `<p class="failure">The suite could not do its work: ${escapeHtml(suitefailure)}</p>\n`}${toTable(implementation)}
${report.groups.map(({ name, tests }) => toGroup(name, tests)).join('\n')}
<p>Yes: passed. No: the implementation does not conform. Unknown: failed, which may have other reasons than the implementation.
Skipped: not selected, or too few clusters.</p>
</body>
</html>
`;
}

function toTable({ organization, project, version, url }: Report['implementation']): string {
  // A link only where it cannot be a script.
  const link = /^https?:\/\//i.test(url) ? `<a href="${escapeHtml(url)}">${escapeHtml(url)}</a>` : escapeHtml(url);
  const rows = [
    ['Organization', escapeHtml(organization)],
    ['Project', escapeHtml(project)],
    ['Version', escapeHtml(version)],
    ['URL', link],
  ];
  return `<table>${rows.map(([name, value]) => `<tr><th>${name}</th><td>${value}</td></tr>`).join('')}</table>`;
}

function toGroup(name: string, tests: readonly ReportedTest[]): string {
  const passed = tests.filter((test) => test.passed).length;
  return `<h2>${escapeHtml(name)}: ${passed} of ${tests.length}</h2>
<table>
<tr><th>Test</th><th>Conformant</th><th>Message</th></tr>
${tests.map(toRow).join('\n')}
</table>`;
}

function toRow(test: ReportedTest): string {
  const verdict = verdictOf(test);
  const title = `<a href="${escapeHtml(test.ref)}">${escapeHtml(test.desc)}</a>`;
  const labels = `<div class="labels">${escapeHtml(test.labels.join(', '))}</div>`;
  return `<tr><td>${title}${labels}</td><td class="${verdict}">${verdict}</td><td class="message">${escapeHtml(test.message)}</td></tr>`;
}
