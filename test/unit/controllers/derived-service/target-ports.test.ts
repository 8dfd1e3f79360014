import assert from 'node:assert/strict';
import fc from 'fast-check';
import { assignTargetPorts, firstCursor } from '#src/controllers/derived-service/target-ports.ts';
import { TARGET_PORT_FIRST, TARGET_PORT_LAST } from '#src/controllers/limits.ts';

const none: ReadonlySet<number> = new Set();

function assign(input: Partial<Parameters<typeof assignTargetPorts>[0]>) {
  const { assigned, cursor } = assignTargetPorts({
    held: [],
    resting: none,
    wanted: [],
    cursor: TARGET_PORT_FIRST,
    ...input,
  });
  return {
    cursor,
    assigned: Object.fromEntries([...assigned].map(([key, ports]) => [key, Object.fromEntries(ports)])),
  };
}

describe('assignTargetPorts', () => {
  it('ports of two imports, UDP too → one each, from the cursor on', () => {
    const wanted = [
      { key: 'a/db', ports: ['TCP 1', 'UDP 1'] },
      { key: 'a/web', ports: ['TCP 1'] },
    ];
    assert.deepEqual(assign({ wanted, cursor: 20_005 }), {
      cursor: 20_008,
      assigned: { 'a/db': { 'TCP 1': 20_005, 'UDP 1': 20_006 }, 'a/web': { 'TCP 1': 20_007 } },
    });
  });

  it('what is held → kept; what an import that is gone holds → given to nobody', () => {
    const held = [
      { key: 'a/db', ports: new Map([['TCP 1', 20_001]]) },
      { key: 'gone/x', ports: new Map([['TCP 1', 20_000]]) },
    ];
    const wanted = [{ key: 'a/db', ports: ['TCP 1', 'TCP 2'] }];
    assert.deepEqual(assign({ held, wanted }).assigned, { 'a/db': { 'TCP 1': 20_001, 'TCP 2': 20_002 } });
  });

  it('two hold one target port, or one outside the range → the first keeps it, the others get another', () => {
    const held = [
      { key: 'a/db', ports: new Map([['TCP 1', 20_000]]) },
      { key: 'a/web', ports: new Map([['TCP 1', 20_000]]) },
      { key: 'a/low', ports: new Map([['TCP 1', TARGET_PORT_FIRST - 1]]) },
      { key: 'a/high', ports: new Map([['TCP 1', TARGET_PORT_LAST + 1]]) },
    ];
    const wanted = held.map(({ key }) => ({ key, ports: ['TCP 1'] }));
    assert.deepEqual(assign({ held, wanted }).assigned, {
      'a/db': { 'TCP 1': 20_000 },
      'a/web': { 'TCP 1': 20_001 },
      'a/low': { 'TCP 1': 20_002 },
      'a/high': { 'TCP 1': 20_003 },
    });
  });

  it('a port that rests → passed over', () => {
    const wanted = [{ key: 'a/db', ports: ['TCP 1'] }];
    assert.deepEqual(assign({ wanted, resting: new Set([20_000, 20_001]) }).assigned, { 'a/db': { 'TCP 1': 20_002 } });
  });

  it('the end of the range → goes on at its beginning', () => {
    const wanted = [{ key: 'a/db', ports: ['TCP 1', 'TCP 2'] }];
    assert.deepEqual(assign({ wanted, cursor: TARGET_PORT_LAST }), {
      cursor: TARGET_PORT_FIRST + 1,
      assigned: { 'a/db': { 'TCP 1': TARGET_PORT_LAST, 'TCP 2': TARGET_PORT_FIRST } },
    });
  });

  it('as many ports as the range has → each has one; one more → it alone has none', () => {
    const size = TARGET_PORT_LAST - TARGET_PORT_FIRST + 1;
    const wanted = Array.from({ length: size + 1 }, (_, index) => ({ key: `a/${index}`, ports: ['TCP 1'] }));
    const { assigned } = assign({ wanted });
    const given = Object.values(assigned).flatMap((ports) => Object.values(ports));
    assert.equal(new Set(given).size, size);
    assert.deepEqual(assigned[`a/${size}`], {});
  });

  it('any holders and wishes → unique, inside the range, held ones kept, the same again', () => {
    const key = fc.constantFrom('a', 'b', 'c', 'd');
    const id = fc.constantFrom('TCP 1', 'TCP 2', 'UDP 1');
    const port = fc.integer({ min: TARGET_PORT_FIRST - 2, max: TARGET_PORT_FIRST + 6 });
    const holder = fc.record({ key, ports: fc.array(fc.tuple(id, port)).map((pairs) => new Map(pairs)) });
    const wish = fc.record({ key, ports: fc.uniqueArray(id) });
    fc.assert(
      fc.property(
        fc.array(holder, { maxLength: 6 }),
        fc.uniqueArray(wish, { selector: (value) => value.key }),
        port,
        (held, wanted, cursor) => {
          const first = assignTargetPorts({ held, resting: none, wanted, cursor });
          const given = [...first.assigned.values()].flatMap((ports) => [...ports.values()]);
          assert.equal(new Set(given).size, given.length);
          assert.ok(given.every((value) => value >= TARGET_PORT_FIRST && value <= TARGET_PORT_LAST));
          const again = assignTargetPorts({
            held: [...first.assigned].map(([name, ports]) => ({ key: name, ports })),
            resting: none,
            wanted,
            cursor: first.cursor,
          });
          assert.deepEqual(again.assigned, first.assigned);
        },
      ),
    );
  });
});

describe('firstCursor', () => {
  it('nothing held → the beginning; else after the highest, or the beginning after the last', () => {
    assert.equal(firstCursor([]), TARGET_PORT_FIRST);
    assert.equal(firstCursor([20_003, 20_001, 99]), 20_004);
    assert.equal(firstCursor([TARGET_PORT_LAST]), TARGET_PORT_FIRST);
  });
});
