import assert from 'node:assert/strict';
import { AppError } from '#src/api/errors.ts';
import { DistrustError } from '#src/fabric/distrust.ts';
import { describeCut } from '#src/gateway/clusterlink/peer-side.ts';

describe('describeCut', () => {
  for (const [what, error, reason] of [
    ['its certificate was revoked', new DistrustError({ reason: 'REVOKED', message: 'revoked' }), 'REVOKED'],
    ['memory is short', new AppError('ERR_BOUND_EXCEEDED', 'memory'), 'OVERLOADED'],
    ['the gateway cannot be reached', new AppError('ERR_TIMEOUT', 'silence'), 'PEER_UNREACHABLE'],
    ['the peer cut it', new AppError('ERR_STREAM_RESET', 'cut'), 'ABORTED'],
    ['the network failed', new Error('read ECONNRESET'), 'ABORTED'],
    ['nothing is known', null, 'ABORTED'],
  ] as const) {
    it(`${what} → ${reason}`, () => assert.equal(describeCut('west', error).reason, reason));
  }
});
