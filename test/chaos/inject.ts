/** Does to a site what a fault says. */
import { readdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault, PeerName } from './faults.ts';
import { emptyFolder, halveFile, peerFile, removeFile, replaceFolder, type Undo } from './manifests.ts';
import type { Site } from './site.ts';

/** Makes the fault, lets it last, and undoes it; resolves when all is as it was, but for what the peers make of it. */
export async function inject(site: Site, fault: Fault): Promise<void> {
  const undo = await begin(site, fault);
  try {
    await sleep(fault.holdMs);
  } finally {
    await undo();
  }
}

async function begin(site: Site, fault: Fault): Promise<Undo> {
  const peer = site.peers[fault.peer];
  const folder = peer.now.manifests;
  switch (fault.sort) {
    case 'kill':
      await peer.kill();
      return () => peer.start();
    case 'stop':
      peer.pause();
      return () => Promise.resolve(peer.resume());
    case 'cut':
    case 'stall':
      return breakLinks(site, [fault.peer, fault.other], fault.sort === 'cut' ? 'cut' : 'stalled');
    case 'replace':
      await replaceFolder(folder);
      return () => replaceFolder(folder);
    case 'empty':
      return emptyFolder(folder);
    case 'half': {
      const files = (await readdir(folder)).sort();
      const file = files[fault.cutAt % files.length];
      if (file === undefined) throw new Error(`no manifests in ${folder}`);
      return halveFile({ folder, file, cutAt: fault.cutAt });
    }
    case 'recreate':
      return removeFile(folder, peerFile(fault.other));
    case 'full':
      return fillDisk(site, fault.peer);
    case 'clock': {
      const clock = site.clocks?.[fault.peer];
      clock?.set(fault.offsetSeconds);
      return () => Promise.resolve(clock?.set(0));
    }
  }
}

function breakLinks(site: Site, [a, b]: readonly [PeerName, PeerName], state: 'cut' | 'stalled'): Undo {
  const links = site.links(a, b);
  links.forEach((link) => link.set(state));
  return () => Promise.resolve(links.forEach((link) => link.set('open')));
}

/** With a link that is cut meanwhile and comes back before there is room again: statuses are written onto the full disk. */
function fillDisk(site: Site, peer: PeerName): Undo {
  site.disk?.fill();
  const other = peer === 'east' ? 'south' : 'east';
  const mend = breakLinks(site, [peer, other], 'cut');
  return async () => {
    await mend();
    await sleep(500);
    site.disk?.free();
  };
}
