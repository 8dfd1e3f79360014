import assert from 'node:assert/strict';
import fc from 'fast-check';
import { encode } from 'dns-packet';
import { judgeHere, type HereObservation, type NameAsked } from '#src/cli/check-dns/judge-here.ts';
import { encodeQuestion, readAnswer, type Asked } from '#src/cli/check-dns/question.ts';
import { parseResolvConf } from '#src/cli/check-dns/resolv-conf.ts';

const NAME = 'web.store.svc.clusterset.local';
const VERSION = 'dns-version.clusterset.local';
const RESOLVER = '10.96.0.10:53';
const RESPONDER = '10.96.0.53:53';

function asked(said: string, part: Partial<Asked> = {}): Asked {
  const [rcode = '', ...answers] = said.split(' ');
  const outcome = rcode === 'silent' ? { silent: 'ECONNREFUSED' } : { rcode, answers };
  return { name: NAME, type: 'A', server: RESOLVER, ms: 3, outcome, ...part };
}

function version(said: string, server = RESOLVER): Asked {
  return asked(said, { name: VERSION, type: 'TXT', server });
}

function named(resolved: string, direct: string | undefined, search: readonly Asked[] = [asked(resolved)]): NameAsked {
  return {
    name: NAME,
    resolved: [asked(resolved)],
    direct: direct === undefined ? undefined : asked(direct, { server: RESPONDER }),
    search,
  };
}

function here(part: Partial<HereObservation> = {}): HereObservation {
  return {
    resolvConf: parseResolvConf(
      'nameserver 10.96.0.10\nsearch a.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5',
    ),
    place: 'pod',
    recipe: undefined,
    versions: [version('NOERROR 1.0.0')],
    responder: { server: RESPONDER, versions: [version('NOERROR 1.0.0', RESPONDER)] },
    name: named('NOERROR 10.45.0.7', 'NOERROR 10.45.0.7'),
    ...part,
  };
}

describe('judgeHere', () => {
  const silent = { server: RESPONDER, versions: [version('silent', RESPONDER)] };
  const wild = asked('NOERROR 203.0.113.1', { name: `${NAME}.corp.example` });
  const rows: [title: string, part: Partial<HereObservation>, expected: string[]][] = [
    ['all answers', {}, ['ok Answered', 'ok Answered', 'ok Answered', 'ok SearchCost']],
    [
      'the zone is not forwarded',
      { versions: [version('NXDOMAIN')], name: undefined },
      ['ok Answered', 'failed NotAnswered', 'warning NoName'],
    ],
    [
      'an empty answer',
      { versions: [version('NOERROR')], name: undefined },
      ['ok Answered', 'failed NotAnswered', 'warning NoName'],
    ],
    [
      'the resolver is silent',
      { versions: [version('silent')], name: named('silent', 'NOERROR 10.45.0.7', []) },
      ['ok Answered', 'failed ResolverSilent', 'ok SearchCost'],
    ],
    [
      'one of two is silent',
      { versions: [version('silent', '10.0.0.1:53'), version('NOERROR 1.0.0')], name: undefined },
      ['ok Answered', 'warning ResolverSilent', 'ok Answered', 'warning NoName'],
    ],
    [
      'a pod that may not ask the responder',
      { responder: silent, name: named('NOERROR 10.45.0.7', 'silent') },
      ['warning ResponderSilent', 'ok Answered', 'ok Answered', 'ok SearchCost'],
    ],
    [
      'a machine without its responder',
      { place: 'machine', responder: silent, name: undefined },
      ['failed ResponderSilent', 'ok Answered', 'warning NoName'],
    ],
    [
      'nobody knows the responder',
      { responder: undefined, name: undefined },
      ['warning ResponderUnknown', 'ok Answered', 'warning NoName'],
    ],
    [
      'another answer than the responder gives',
      { name: named('NOERROR 10.45.0.8', 'NOERROR 10.45.0.7') },
      ['ok Answered', 'ok Answered', 'failed Disagrees', 'ok SearchCost'],
    ],
    [
      'no such import, says either',
      { name: named('NXDOMAIN', 'NXDOMAIN') },
      ['ok Answered', 'ok Answered', 'failed NotAnswered', 'ok SearchCost'],
    ],
    [
      'a wildcard in the search list',
      { name: named('NOERROR 10.45.0.7', undefined, [wild]) },
      ['ok Answered', 'ok Answered', 'ok Answered', 'failed SearchAnswers'],
    ],
  ];
  for (const [title, part, expected] of rows) {
    it(`${title} → ${expected.join(', ')}`, () => {
      const findings = judgeHere(here(part));
      assert.deepEqual(
        findings.map(({ result, code }) => `${result} ${code}`),
        expected,
      );
      for (const { result, fix } of findings) assert.equal(fix === undefined, result === 'ok');
    });
  }

  it('what answered → with server, answer and time', () => {
    const [, , name] = judgeHere(here());
    assert.equal(name?.found, '10.96.0.10:53 says 10.45.0.7 in 3 ms, as the responder does');
  });

  it('three search domains before the name → eight queries instead of two', () => {
    const search = ['x', 'y', 'z'].map((suffix) => asked('NXDOMAIN', { name: `${NAME}.${suffix}` }));
    const found = judgeHere(
      here({ name: named('NOERROR 10.45.0.7', undefined, [...search, asked('NOERROR 10.45.0.7')]) }),
    );
    assert.match(
      found.at(-1)?.found ?? '',
      /^8 queries instead of 2, 6 of them in vain \(ndots 5, 4 names, 12 ms for A\)$/,
    );
  });

  it('loopback addresses that the resolver does not tell → says why', () => {
    const found = judgeHere(here({ name: named('NOERROR', 'NOERROR 127.72.0.1') }));
    assert.match(found.find(({ code }) => code === 'Disagrees')?.fix ?? '', /ask over loopback/);
  });

  it('a machine whose resolver does not forward → what to give it', () => {
    const recipe = { use: '/etc/x', text: 'server=\n' };
    const found = judgeHere(here({ versions: [version('NXDOMAIN')], recipe, place: 'machine' }));
    assert.deepEqual(found.find(({ code }) => code === 'NotAnswered')?.change, recipe);
  });
});

describe('readAnswer', () => {
  const question = { name: NAME, type: 'A' } as const;
  const reply = (name: string, id = 7, flags = 0): Buffer =>
    encode({
      type: 'response',
      id,
      flags,
      questions: [{ type: 'A', name }],
      answers: [
        { type: 'CNAME', name, data: 'a.example' },
        { type: 'A', name: 'a.example', data: '10.0.0.2' },
        { type: 'A', name: 'a.example', data: '10.0.0.1' },
      ],
    });

  it('an answer → its code and its addresses, sorted', () => {
    assert.deepEqual(readAnswer(reply('WEB.store.svc.clusterset.local'), { id: 7, question }), {
      rcode: 'NOERROR',
      answers: ['10.0.0.1', '10.0.0.2'],
    });
    assert.equal(readAnswer(reply(NAME, 7, 3), { id: 7, question })?.rcode, 'NXDOMAIN');
  });

  it('another id, another name, a query → waited on', () => {
    for (const bytes of [reply(NAME, 8), reply('x.example'), encodeQuestion(7, question), Buffer.alloc(3)]) {
      assert.equal(readAnswer(bytes, { id: 7, question }), undefined);
    }
  });

  it('texts → as they are', () => {
    const name = VERSION;
    const bytes = encode({
      type: 'response',
      id: 7,
      questions: [{ type: 'TXT', name }],
      answers: [{ type: 'TXT', name, data: ['1.0', '.0'] }],
    });
    assert.deepEqual(readAnswer(bytes, { id: 7, question: { name, type: 'TXT' } })?.answers, ['1.0.0']);
  });

  it('any octets → never an exception', () => {
    const header = Buffer.from([0, 7, 0x80, 0]);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (octets) => {
        readAnswer(Buffer.concat([header, octets]), { id: 7, question });
      }),
      { numRuns: 2_000 },
    );
  });
});
