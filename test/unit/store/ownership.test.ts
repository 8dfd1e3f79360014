import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Json, JsonMap } from '#src/store/json.ts';
import { applyConfiguration, mergeConfigurations, type Configurations } from '#src/store/ownership.ts';

type Step = readonly [manager: string, configuration: JsonMap, mode?: 'force'];

/** Applies one after the other; a conflict fails the test. */
function applied(...steps: readonly Step[]): Configurations {
  return steps.reduce<Configurations>((present, [manager, configuration, mode]) => {
    const { configurations, conflicts } = applyConfiguration(present, {
      manager,
      configuration,
      force: mode === 'force',
    });
    assert.deepEqual(conflicts, []);
    return configurations;
  }, {});
}

function ready(status: string, more: JsonMap = {}): JsonMap {
  return { status: { conditions: [{ type: 'Ready', status, ...more }] } };
}

describe('mergeConfigurations', () => {
  const rows: [string, Step[], JsonMap][] = [
    ['nothing applied → nothing', [], {}],
    [
      'maps → merged by key',
      [
        ['a', { m: { x: 1 } }],
        ['b', { m: { y: 2 } }],
      ],
      { m: { x: 1, y: 2 } },
    ],
    [
      'an empty map beside a full one → the full one',
      [
        ['a', { m: {} }],
        ['b', { m: { y: 2 } }],
      ],
      { m: { y: 2 } },
    ],
    [
      'equal lists → one',
      [
        ['a', { l: [1, { x: 1 }] }],
        ['b', { l: [1, { x: 1 }] }],
      ],
      { l: [1, { x: 1 }] },
    ],
    [
      'an omitted field → gone',
      [
        ['a', { m: { x: 1, y: 2 } }],
        ['a', { m: { x: 1 } }],
      ],
      { m: { x: 1 } },
    ],
    [
      'an omitted co-owned field → stays',
      [
        ['a', { x: 1 }],
        ['b', { x: 1 }],
        ['a', { y: 1 }],
      ],
      { x: 1, y: 1 },
    ],
    [
      'a forced leaf → taken, its neighbour stays',
      [
        ['a', { m: { x: 1, y: 1 } }],
        ['b', { m: { x: 2 } }, 'force'],
      ],
      { m: { x: 2, y: 1 } },
    ],
    [
      'a forced leaf, then given up → gone',
      [
        ['a', { x: 1 }],
        ['b', { x: 2 }, 'force'],
        ['b', {}],
      ],
      {},
    ],
    [
      'a map forced over a leaf → the map',
      [
        ['a', { x: 1 }],
        ['b', { x: { y: 1 } }, 'force'],
      ],
      { x: { y: 1 } },
    ],
    [
      'a leaf forced over a map → the leaf',
      [
        ['a', { x: { y: 1 } }],
        ['b', { x: 1 }, 'force'],
      ],
      { x: 1 },
    ],
    [
      'conditions of two types → both',
      [
        ['a', ready('True')],
        ['b', { status: { conditions: [{ type: 'Valid' }] } }],
      ],
      {
        status: { conditions: [{ type: 'Ready', status: 'True' }, { type: 'Valid' }] },
      },
    ],
    [
      'a forced condition → nothing of it is left with the loser',
      [
        ['a', ready('True')],
        ['b', ready('False'), 'force'],
        ['b', {}],
      ],
      {},
    ],
    [
      'a list of that name elsewhere → atomic',
      [
        ['a', { spec: { conditions: [{ type: 'A' }] } }],
        ['b', { spec: { conditions: [{ type: 'B' }] } }, 'force'],
      ],
      {
        spec: { conditions: [{ type: 'B' }] },
      },
    ],
    [
      'two conditions of one type → one value, as written',
      [['a', { status: { conditions: [{ type: 'A' }, { type: 'A' }] } }]],
      {
        status: { conditions: [{ type: 'A' }, { type: 'A' }] },
      },
    ],
    [
      'a key called __proto__ → a key',
      [
        ['a', JSON.parse('{"m":{"__proto__":1}}') as JsonMap],
        ['b', { m: { x: 1 } }],
      ],
      JSON.parse('{"m":{"__proto__":1,"x":1}}') as JsonMap,
    ],
  ];
  for (const [title, steps, expected] of rows) {
    it(title, () => assert.deepEqual(mergeConfigurations(applied(...steps)), expected));
  }
});

describe('applyConfiguration', () => {
  const rows: [string, JsonMap, JsonMap, string[]][] = [
    ['a leaf with another value', { spec: { x: 1 } }, { spec: { x: 2 } }, ['.spec.x']],
    ['two leaves', { x: 1, y: 1 }, { x: 2, y: 2 }, ['.x', '.y']],
    ['a list with another item', { spec: { l: [1] } }, { spec: { l: [1, 2] } }, ['.spec.l']],
    ['a list in another order', { l: [1, 2] }, { l: [2, 1] }, ['.l']],
    [
      'a label',
      { metadata: { labels: { 'a/b': 'x' } } },
      { metadata: { labels: { 'a/b': 'y' } } },
      ['.metadata.labels["a/b"]'],
    ],
    ['a condition', ready('True'), ready('False'), ['.status.conditions[type="Ready"].status']],
    ['a map where a leaf is', { x: 1 }, { x: { y: 1 } }, ['.x']],
    ['null where a value is', { x: 1 }, { x: null }, ['.x']],
    ['the number for the text', { x: 1 }, { x: '1' }, ['.x']],
    ['an equal value', { x: { y: [1, { b: 1, a: 2 }] } }, { x: { y: [1, { a: 2, b: 1 }] } }, []],
    ['another field', { x: 1 }, { y: 1 }, []],
  ];
  for (const [title, present, configuration, fields] of rows) {
    it(`${title} → ${fields.length === 0 ? 'no conflict' : `conflict about ${fields.join(', ')}, and nothing applied`}`, () => {
      const before = applied(['owner', present]);
      const { configurations, conflicts } = applyConfiguration(before, {
        manager: 'other',
        configuration,
        force: false,
      });
      assert.deepEqual(
        conflicts,
        fields.map((field) => ({ field, owner: 'owner' })),
      );
      if (fields.length > 0) assert.equal(configurations, before);
    });
  }

  it('a manager that gives everything up → forgotten', () => {
    assert.deepEqual(applied(['a', { x: 1 }], ['a', {}]), {});
  });

  it('a co-owner that changes its value → conflict with the other one', () => {
    const before = applied(['a', { x: 1 }], ['b', { x: 1 }]);
    const { conflicts } = applyConfiguration(before, { manager: 'b', configuration: { x: 2 }, force: false });
    assert.deepEqual(conflicts, [{ field: '.x', owner: 'a' }]);
  });

  /** Leaves at fixed places, so that a naive model of paths is a fair judge. */
  const value = fc.constantFrom<Json>(1, 2);
  const some = (members: Record<string, fc.Arbitrary<Json>>) =>
    fc.record(members, { requiredKeys: [] }) as fc.Arbitrary<JsonMap>;
  const conditions = fc
    .uniqueArray(fc.record({ type: fc.constantFrom('A', 'B', 'C'), status: value }), { selector: ({ type }) => type })
    .map((items): Json => items);
  const configuration = some({
    leaf: value,
    map: some({ x: value, y: value }),
    list: fc.array(value, { maxLength: 2 }),
    status: some({ conditions }),
  });
  const request = fc.record({ manager: fc.constantFrom('a', 'b', 'c'), configuration, force: fc.boolean() });

  it('any sequence of three managers → what a naive model of owned paths says', () => {
    fc.assert(
      fc.property(fc.array(request, { maxLength: 12 }), (requests) => {
        let present: Configurations = {};
        const model = new Map<string, Map<string, string>>();
        for (const next of requests) {
          const outcome = applyConfiguration(present, next);
          const mine = pathsOf(next.configuration);
          const losing = [...model]
            .filter(([owner]) => owner !== next.manager)
            .flatMap(([owner, theirs]) =>
              [...mine]
                .filter(([path, text]) => theirs.has(path) && theirs.get(path) !== text)
                .map(([path]) => ({ owner, path })),
            );
          assert.equal(outcome.conflicts.length, next.force ? 0 : losing.length);
          if (next.force || losing.length === 0) {
            for (const { owner, path } of losing) model.get(owner)?.delete(path);
            model.set(next.manager, mine);
          }
          present = outcome.configurations;
          const expected = new Map(
            [...model.values()].flatMap((paths) => [...paths]).filter(([path]) => !path.endsWith('/type')),
          );
          const merged = pathsOf(mergeConfigurations(present));
          assert.deepEqual(
            new Map([...merged].filter(([path]) => !path.endsWith('/type')).sort()),
            new Map([...expected].sort()),
          );
        }
      }),
    );
  });

  it('the same request twice → the second changes nothing', () => {
    fc.assert(
      fc.property(fc.array(request, { maxLength: 6 }), request, (requests, last) => {
        const before = requests.reduce<Configurations>(
          (present, next) => applyConfiguration(present, next).configurations,
          {},
        );
        const once = applyConfiguration(before, { ...last, force: true });
        const twice = applyConfiguration(once.configurations, last);
        assert.deepEqual(twice.conflicts, []);
        assert.deepEqual(twice.configurations, once.configurations);
      }),
    );
  });

  it('whatever was applied by force → the merge holds it', () => {
    fc.assert(
      fc.property(fc.array(request, { maxLength: 6 }), request, (requests, last) => {
        const before = requests.reduce<Configurations>(
          (present, next) => applyConfiguration(present, next).configurations,
          {},
        );
        const { configurations } = applyConfiguration(before, { ...last, force: true });
        const merged = pathsOf(mergeConfigurations(configurations));
        for (const [path, text] of pathsOf(last.configuration)) assert.equal(merged.get(path), text);
      }),
    );
  });
});

/** Owned leaves as text by path; conditions by their type, other lists as one leaf. */
function pathsOf(value: Json, path = ''): Map<string, string> {
  if (path === '/status/conditions') {
    const items = value as readonly JsonMap[];
    return new Map(items.flatMap((item) => [...pathsOf(item, `${path}/${JSON.stringify(item['type'])}`)]));
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return new Map([[path, JSON.stringify(value)]]);
  return new Map(Object.entries(value).flatMap(([key, child]) => [...pathsOf(child, `${path}/${key}`)]));
}
