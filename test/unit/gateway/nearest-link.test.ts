import assert from 'node:assert/strict';
import { CROWDED_STREAMS } from '#src/gateway/limits.ts';
import type { PeerLink } from '#src/gateway/link.ts';
import { linksInOrder, nearestLink } from '#src/gateway/nearest-link.ts';
import { makeSession, type FakeSession } from './fake-session.ts';

interface Shape extends Partial<Pick<FakeSession, 'rttMs' | 'busy' | 'full' | 'draining' | 'streams'>> {
  readonly instance?: string;
  /** Of the gateway at the other end. */
  readonly address?: string;
}

function link({ instance = 'i', address = '192.0.2.1', ...changes }: Shape): FakeSession {
  const ends = { remote: { address, port: 4443 }, local: { address: '192.0.2.9', port: 1 } };
  return makeSession({ rttMs: 1, ends, hello: { ...makeSession().hello, instance }, ...changes });
}

const NONE: ReadonlySet<PeerLink> = new Set();

describe('nearestLink', () => {
  for (const [what, shapes, expected] of [
    ['none', [], -1],
    ['the only one drains', [{ draining: true }], -1],
    ['two that are alike: the older one', [{}, {}], 0],
    ['the same way, measured shorter by chance: the older one', [{ rttMs: 61 }, { rttMs: 50 }], 0],
    ['the same way, measured longer by chance, without bulk', [{ rttMs: 2, busy: true }, { rttMs: 80 }], 1],
    ['the older one carries bulk', [{ busy: true }, {}], 1],
    ['the older one is crowded', [{ streams: CROWDED_STREAMS }, { streams: 5 }], 1],
    [
      'both carry bulk: that with fewer streams',
      [
        { busy: true, streams: 9 },
        { busy: true, streams: 2 },
      ],
      1,
    ],
    ['both carry bulk, as many streams: the older one', [{ busy: true }, { busy: true }], 0],
    ['neither carries bulk: the older one, whatever its streams', [{ streams: 9 }, { streams: 2 }], 0],
    ['the other one was not heard yet', [{ busy: true }, { rttMs: undefined }], 0],
    ['the first one was not heard yet', [{ rttMs: undefined }, { busy: true }], 1],
    ['the other one was not heard yet, and this is full', [{ full: true }, { rttMs: undefined }], 1],
    ['the same process at another address, nearer', [{ rttMs: 61 }, { rttMs: 50, address: '192.0.2.2' }], 1],
    [
      'the same process at another address, far, and this carries bulk',
      [{ busy: true }, { rttMs: 90, address: '::1' }],
      0,
    ],
    ['bulk, and another instance that is about as near', [{ busy: true }, { instance: 'j', rttMs: 9 }], 1],
    ['bulk, and another instance that is far', [{ busy: true }, { instance: 'j', rttMs: 90 }], 0],
    ['another instance that is nearer by little', [{ rttMs: 1.1 }, { instance: 'j', rttMs: 1 }], 1],
    ['all are full: the older one', [{ full: true }, { full: true }], 0],
  ] as const satisfies readonly (readonly [string, readonly Shape[], number])[]) {
    it(`${what} → ${expected}`, () => {
      const links = shapes.map(link);
      const nearest = nearestLink(links, { passedOver: NONE });
      assert.equal(nearest === undefined ? -1 : links.findIndex((one) => one === nearest), expected);
    });
  }

  it('tried, or passed over → the others come before it; what was tried never', () => {
    const [first, second, third] = [link({}), link({}), link({})];
    const links = [first, second, third];
    assert.equal(nearestLink(links, { passedOver: new Set([first]) }), second);
    assert.equal(nearestLink(links, { passedOver: new Set([first]), tried: new Set([second]) }), third);
    assert.equal(nearestLink(links, { passedOver: new Set([first]), tried: new Set([second, third]) }), first);
    assert.equal(nearestLink(links, { passedOver: NONE, tried: new Set(links) }), undefined);
  });

  it('a session of ours is asked for → no link of another form', () => {
    const foreign = Object.assign(link({}), { form: 'clusterlink' }) as unknown as PeerLink;
    const ours = link({ rttMs: 90 });
    assert.equal(nearestLink([foreign, ours], { passedOver: NONE }), foreign);
    assert.equal(nearestLink([foreign, ours], { passedOver: NONE, form: 'session' }), ours);
  });
});

describe('linksInOrder', () => {
  it('each once, the best first, none that drains', () => {
    const [bulk, free, full, draining] = [
      link({ busy: true }),
      link({}),
      link({ full: true }),
      link({ draining: true }),
    ];
    assert.deepEqual(linksInOrder([draining, full, bulk, free], { passedOver: NONE }), [free, bulk, full]);
  });
});
