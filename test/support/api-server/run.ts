/** An API server by hand: `node test/support/api-server/run.ts` prints the path of its kubeconfig, and serves until it is ended. */
import { once } from 'node:events';
import { startApiServer } from './api-server.ts';

await using server = await startApiServer();
console.log(server.kubeconfig);
const stopped = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopped.abort());
await once(stopped.signal, 'abort');
