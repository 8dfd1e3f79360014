import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { startMember, type Member, type MemberOptions } from '#src/gateway/workers/member.ts';

describe('startMember', () => {
  const { execPath } = process;
  afterEach(() => void (process.execPath = execPath));

  // The one is told in an event, the other is thrown at once, as for want of memory.
  for (const path of ['/nonexistent/node', '/nonexistent/\0']) {
    it(`its process cannot be made (${JSON.stringify(path)}) → gone, once, and why; nothing is thrown`, async () => {
      process.execPath = path;
      const gone: string[] = [];
      const member: Member = startMember({
        ...({ plane: {}, instance: 'i' } as unknown as MemberOptions),
        identity: () => assert.fail('nobody asked for it'),
        first: () => [],
        onRequest: () => undefined,
        onMessage: () => undefined,
        onGone: (_, { why, wasLeaving }) => void gone.push(`${wasLeaving} ${why}`),
      });
      assert.equal(member.state, 'loading');
      await assert.rejects(member.ready, /worker \d+: could not be made: /);
      member.end();
      member.post({ kind: 'identity-changed' });
      for (let turn = 0; turn < 5; turn++) await nextTurn();
      assert.equal(gone.length, 1);
      assert.match(gone[0] ?? '', /^false could not be made: /);
      assert.equal(member.state, 'gone');
    });
  }
});
