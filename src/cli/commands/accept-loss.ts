/** `accept-loss`: confirms to a running peer that what it holds was meant to go. */
import { adminOption, askPeer, type RunningPeer } from '../ask.ts';
import { stateOption, type Register } from '../register.ts';

export function addAcceptLossCommand({ program, streams }: Register): void {
  program
    .command('accept-loss')
    .argument('[PEER]', 'the peer whose records are held; without it the objects that went from the manifests folder')
    .description('Let go of what went in a mass and is held: records of a peer, or objects of the manifests folder.')
    .addOption(stateOption())
    .addOption(adminOption())
    .addHelpText(
      'after',
      `
What is held later is held all the same. Examples:
  npx clusterlink-mcs accept-loss east --state ./state
  npx clusterlink-mcs accept-loss --state ./state
In a cluster, with the time that the condition RecordsHeld of the Peer names:
  kubectl -n clusterlink-system annotate --overwrite peer east mcs.clusterlink.net/accept-loss=2026-11-20T12:00:00Z`,
    )
    .action(async (peer: string | undefined, where: RunningPeer) => {
      const body = peer === undefined ? {} : { peer };
      const { accepted } = (await askPeer(where, 'POST /accept-loss', body)) as { accepted: number };
      streams.out(
        peer === undefined ? `${accepted} objects are let go.` : `${accepted} records of ${peer} are let go.`,
      );
    });
}
