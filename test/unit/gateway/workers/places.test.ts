import assert from 'node:assert/strict';
import { makePlaces } from '#src/gateway/workers/places.ts';

const DB = { address: '127.1.1.1', port: 80, owner: 'store/db 80' };
const MOVED = { ...DB, port: 20_080 };

describe('makePlaces', () => {
  it('the same import in two workers → one place for both, looked at once', async () => {
    let looks = 0;
    const places = makePlaces(() => Promise.resolve(void looks++));
    assert.deepEqual(await Promise.all([places.claim(1, DB), places.claim(2, DB)]), [undefined, undefined]);
    assert.equal(looks, 1);
  });

  it('another import at the same place → taken', async () => {
    const places = makePlaces(() => Promise.resolve(undefined));
    await places.claim(1, DB);
    assert.equal(await places.claim(2, { ...DB, owner: 'store/db 81' }), 'EADDRINUSE');
    assert.equal(await places.claim(1, DB), 'EADDRINUSE');
  });

  it('somebody else listens there → his code; the import moves to one place in all workers, also when the first is free again', async () => {
    let isTaken = true;
    const places = makePlaces(({ port }) => Promise.resolve(isTaken && port === 80 ? 'EADDRINUSE' : undefined));
    assert.equal(await places.claim(1, DB), 'EADDRINUSE');
    assert.equal(await places.claim(1, MOVED), undefined);
    isTaken = false;
    assert.equal(await places.claim(2, DB), 'EADDRINUSE');
    assert.equal(await places.claim(2, MOVED), undefined);
  });

  it('released by the last worker, or its worker is gone → free for others', async () => {
    const places = makePlaces(() => Promise.resolve(undefined));
    const other = { ...DB, owner: 'store/web 80' };
    await places.claim(1, DB);
    await places.claim(2, DB);
    places.release(1, DB);
    assert.equal(await places.claim(1, other), 'EADDRINUSE');
    places.forget(2);
    assert.equal(await places.claim(1, other), undefined);
    places.release(2, other);
    assert.equal(await places.claim(2, DB), 'EADDRINUSE', 'released by one who does not have it');
  });

  it('a worker is gone while what it asked for is looked at, or waits → it has none of it', async () => {
    const look = Promise.withResolvers<undefined>();
    const places = makePlaces(() => look.promise);
    const asked = [places.claim(1, DB), places.claim(1, MOVED)];
    places.forget(1);
    look.resolve(undefined);
    assert.deepEqual(await Promise.all(asked), ['ECANCELED', 'ECANCELED']);
    for (const place of [DB, MOVED]) {
      const other = { ...place, owner: `store/web ${place.port}` };
      assert.equal(await places.claim(2, other), undefined);
    }
  });
});
