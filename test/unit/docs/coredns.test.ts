import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import {
  blocksOf,
  corednsFiles,
  parseObjects,
  PLACEHOLDER,
  readCorednsFile,
  readCorefile,
} from '#test/support/coredns-files.ts';
import { MULTICLUSTER_DIFFERENCES } from '#test/support/dns-differences.ts';
import { FIXTURE_ROWS, toOutcomeText, ZONE } from '#test/support/dns-fixture.ts';
import { linkTargetsOf, readDocument, rowsOf, sectionOf } from './markdown.ts';

const README = 'coredns/README.md';
const BLOCK = `${ZONE}:53`;

const blockIn = async (file: string): Promise<string | undefined> =>
  blocksOf((await readCorefile(file)) ?? '').get(BLOCK);

describe('coredns/', () => {
  it('each file of YAML → parses, into one object at least', async () => {
    const files = (await corednsFiles()).filter((file) => file.endsWith('.yaml'));
    assert.ok(files.length >= 9);
    for (const file of files) assert.ok(parseObjects(await readCorednsFile(file)).length > 0, file);
  });

  it('each file with the stub zone → has the block of Corefile.stub, word by word', async () => {
    const wanted = await blockIn('Corefile.stub');
    assert.ok(wanted?.includes(`forward . ${PLACEHOLDER} {`));
    const files = (await corednsFiles()).filter((file) => file.startsWith('stub-'));
    const withBlock: string[] = [];
    for (const file of files) {
      const block = await blockIn(file);
      if (block === undefined) continue;
      assert.equal(block, wanted, file);
      withBlock.push(file);
    }
    assert.deepEqual(withBlock, ['stub-aks.yaml', 'stub-eks.yaml', 'stub-k3s.yaml', 'stub-kubeadm.yaml']);
    const ofNodes = await blockIn('Corefile.stub-nodelocaldns');
    assert.equal(ofNodes?.replace('    bind __PILLAR__LOCAL__DNS__\n', ''), wanted);
  });

  it('the file with the multicluster option → has the block of Corefile.multicluster, word by word', async () => {
    const wanted = await blockIn('Corefile.multicluster');
    assert.ok(wanted?.includes(`multicluster ${ZONE}`));
    assert.equal(await blockIn('multicluster-kubeadm.yaml'), wanted);
  });

  it('both files of kubeadm → differ in our block only', async () => {
    const [stub, multicluster] = await Promise.all(
      ['stub-kubeadm.yaml', 'multicluster-kubeadm.yaml'].map(async (file) =>
        blocksOf((await readCorefile(file)) ?? ''),
      ),
    );
    assert.deepEqual([...(stub?.keys() ?? [])], ['.:53', BLOCK]);
    assert.equal(stub?.get('.:53'), multicluster?.get('.:53'));
  });

  it('each file that names the responder → by the placeholder, where its value stands and nowhere else', async () => {
    for (const file of await corednsFiles()) {
      const said = (await readCorednsFile(file)).split('\n').filter((line) => !line.startsWith('#'));
      const isStub = !/multicluster/.test(file);
      assert.equal(said.filter((line) => line.includes(PLACEHOLDER)).length, isStub ? 1 : 0, file);
    }
  });

  it('the Service with a fixed address → the same pods and ports as the one that is installed', async () => {
    interface Service {
      readonly kind: string;
      readonly spec: { readonly selector: object; readonly ports: object };
    }
    const installed = parseAllDocuments(readFileSync('manifests/base/dns.yaml', 'utf8'))
      .map((document) => document.toJS() as Service)
      .find(({ kind }) => kind === 'Service');
    const [fixed] = parseObjects(await readCorednsFile('dns-service.yaml')) as unknown as readonly Service[];
    assert.ok(installed !== undefined && fixed !== undefined);
    assert.deepEqual(fixed.spec.selector, installed.spec.selector);
    assert.deepEqual(fixed.spec.ports, installed.spec.ports);
  });

  it('README → links to every file', async () => {
    const targets = new Set(linkTargetsOf(readDocument(README)));
    assert.deepEqual(
      (await corednsFiles()).filter((file) => !targets.has(file)),
      [],
    );
  });

  it('README → its table of differences is the one that the tests hold CoreDNS to', () => {
    const rows = rowsOf(sectionOf(readDocument(README), 'The `multicluster` option').text).filter(({ row }) => row);
    const wanted = FIXTURE_ROWS.flatMap((row) => {
      const difference = MULTICLUSTER_DIFFERENCES[row.id];
      if (difference === undefined) return [];
      return [
        {
          row: `\`${row.id}\``,
          question: `\`${row.name} ${row.type}\``,
          'the responder': toOutcomeText(row),
          '`multicluster`': toOutcomeText(difference),
          why: difference.why,
        },
      ];
    });
    assert.deepEqual(rows, wanted);
  });
});
