/**
 * For those who write these tests: keeps the two clusters up, so that a run of the suite takes the time of its tests alone.
 *
 *     node test/e2e/keep.ts &
 *     E2E_CLUSTERS=e1,e2 npm run e2e -- --grep policy
 */
import { KEPT_FOLDER } from './fixture.ts';
import { install } from './install.ts';

const { kubeconfig, close } = await install({ names: ['e1', 'e2'], profile: 'base', folder: KEPT_FOLDER });
process.stdout.write(`export KUBECONFIG=${kubeconfig} E2E_CLUSTERS=e1,e2\n`);
const stay = setInterval(() => undefined, 60_000);
const end = (): void => {
  clearInterval(stay);
  void close();
};
process.once('SIGTERM', end).once('SIGINT', end);
