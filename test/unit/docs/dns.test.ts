import assert from 'node:assert/strict';
import { FINDING_CODES } from '#src/cli/check-dns/findings.ts';
import { codeOf, readDocument, rowsOf, sectionOf } from './markdown.ts';

describe('docs/DNS.md', () => {
  it('findings → every code of check dns, no other, each with a remedy', () => {
    const rows = rowsOf(sectionOf(readDocument('docs/DNS.md'), 'Findings').text);
    assert.deepEqual(rows.map(({ code = '' }) => codeOf(code)).sort(), [...FINDING_CODES].sort());
    for (const row of rows) for (const cell of Object.values(row)) assert.ok(cell.length > 0);
  });
});
