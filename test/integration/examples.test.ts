/** The standalone forms of examples/, run as a user runs them. Those for clusters are run by test/e2e/examples.test.ts. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { requireTool } from '#test/support/tools.ts';

const FOLDER = fileURLToPath(new URL('../../examples/', import.meta.url));
const SHOWN: Readonly<Record<string, RegExp>> = {
  bookinfo: /Comedy of Errors.*says books\n"An extremely.*says critics\n.*\n5 and 4 stars, says critics\n/,
  iperf3: /^iperf3\.measure\.svc\.clusterset\.local is 127\.\d+\.\d+\.\d+: \d+\.\d+ Gbit\/s\n/,
};

describe('examples/run.ts', function () {
  this.timeout(90_000);

  it('every example → is run here', () => {
    const folders = readdirSync(FOLDER, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    assert.deepEqual(folders.map(({ name }) => name).sort(), Object.keys(SHOWN));
  });

  for (const [name, shown] of Object.entries(SHOWN)) {
    it(`${name} → shows what its README says`, function () {
      if (name === 'iperf3') requireTool(this, 'iperf3');
      const { status, stdout, stderr } = spawnSync(process.execPath, [`${FOLDER}run.ts`, name], { encoding: 'utf8' });
      assert.equal(status, 0, stderr);
      assert.match(stdout, shown);
    });
  }
});
