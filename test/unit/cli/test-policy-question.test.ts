import assert from 'node:assert/strict';
import * as v from 'valibot';
import { parseQuestion, policyQuestion, type QuestionWords } from '#src/cli/test-policy-question.ts';

const EGRESS: QuestionWords = { client: 'web/front', import: 'store/db', source: 'east/shop/db' };
const INGRESS: QuestionWords = { peer: 'west', export: 'shop/db' };

describe('parseQuestion', () => {
  it('egress with all its words → the question, as the admin socket takes it', () => {
    const question = parseQuestion('egress', {
      ...EGRESS,
      clientLabel: ['app=ui', 'tier='],
      importLabel: ['a=b'],
      peerLabel: ['region=eu'],
    });
    assert.deepEqual(question, {
      direction: 'egress',
      client: { namespace: 'web', serviceAccount: 'front', labels: { app: 'ui', tier: '' } },
      import: { namespace: 'store', name: 'db' },
      source: { peer: 'east', namespace: 'shop', name: 'db' },
      importLabels: { a: 'b' },
      peerLabels: { region: 'eu' },
    });
    assert.deepEqual(v.parse(policyQuestion, JSON.parse(JSON.stringify(question))), question);
  });

  it('ingress without a client → nobody knows who it is; with labels of the export', () => {
    const question = parseQuestion('ingress', { ...INGRESS, exportLabel: ['tier=gold'] });
    assert.deepEqual(question, {
      direction: 'ingress',
      peer: 'west',
      export: { namespace: 'shop', name: 'db' },
      exportLabels: { tier: 'gold' },
    });
    assert.deepEqual(v.parse(policyQuestion, JSON.parse(JSON.stringify(question))), question);
  });

  it('a client without a slash → for the running peer to know', () => {
    assert.equal(parseQuestion('egress', { ...EGRESS, client: 'host' }).client, 'host');
  });

  it('a client with labels that have the name of a member of objects → labels like others', () => {
    const { client } = parseQuestion('egress', { ...EGRESS, clientLabel: ['constructor=x'] });
    assert.deepEqual(client, { namespace: 'web', serviceAccount: 'front', labels: { constructor: 'x' } });
  });

  const WRONG: [title: string, direction: string, words: QuestionWords, message: RegExp][] = [
    ['another direction', 'sideways', EGRESS, /neither egress nor ingress/],
    ['egress without an import', 'egress', { client: 'web/front' }, /--import: is missing/],
    ['egress with a peer', 'egress', { ...EGRESS, peer: 'east' }, /--peer: has no place in egress/],
    ['egress with labels of an export', 'egress', { ...EGRESS, exportLabel: ['a=b'] }, /--export-label/],
    ['labels of a peer that is not named', 'egress', { import: 'store/db', peerLabel: ['a=b'] }, /of which peer/],
    ['ingress without a peer', 'ingress', { export: 'shop/db' }, /--peer: is missing/],
    ['ingress without an export', 'ingress', { peer: 'west' }, /--export: is missing/],
    ['ingress with a source', 'ingress', { ...INGRESS, source: 'a/b/c' }, /--source: has no place in ingress/],
    ['a peer that is no name', 'ingress', { ...INGRESS, peer: 'West' }, /not the name of a peer/],
    ['a source of two parts', 'egress', { ...EGRESS, source: 'shop/db' }, /not PEER\/NAMESPACE\/NAME/],
    ['a client of three parts', 'egress', { ...EGRESS, client: 'a/b/c' }, /not NAMESPACE\/SERVICEACCOUNT/],
    ['a client without an account', 'egress', { ...EGRESS, client: 'web/' }, /not NAMESPACE\/SERVICEACCOUNT/],
    ['labels of nobody', 'egress', { import: 'store/db', clientLabel: ['a=b'] }, /of which client/],
    ['labels of host', 'egress', { ...EGRESS, client: 'host', clientLabel: ['a=b'] }, /of which client/],
    ['a label without a value', 'egress', { ...EGRESS, clientLabel: ['app'] }, /not KEY=VALUE/],
    ['a label with two slashes', 'egress', { ...EGRESS, clientLabel: ['a/b/c=x'] }, /--client-label: "a\/b\/c=x"/],
    ['a value that is none', 'egress', { ...EGRESS, clientLabel: ['a=b=c'] }, /--client-label: "a=b=c"/],
  ];
  for (const [title, direction, words, message] of WRONG) {
    it(`${title} → ERR_USAGE`, () => {
      assert.throws(() => parseQuestion(direction, words), { code: 'ERR_USAGE', message });
    });
  }
});
