/** What several workers see as the control part hears of it: merged, and told on change only. */
import { formatKey } from '../../api/object.ts';
import { REASONS } from '../../api/reasons.ts';
import { formatSource, type SourceKey } from '../../api/record.ts';
import type { GatewaySnapshot, ImportObservation, LimitsReport, PeerObservation, UpMessage } from '../messages.ts';
import { mergeImports, mergeLimits, mergePeers } from './merge.ts';

/** What one worker said last of everything. */
export interface Sight {
  readonly peers: Map<string, PeerObservation>;
  /** By `namespace/name`. */
  readonly imports: Map<string, ImportObservation>;
  limits: LimitsReport | undefined;
}

export type Seen = Extract<UpMessage, { kind: 'peer' | 'import' | 'ejection' | 'limits' }>;

export interface View {
  digest(sight: Sight, message: Seen): void;
  /** A worker sees nothing any more. */
  forget(sight: Sight): void;
  /** Other workers count than before. */
  refresh(): void;
  /** A snapshot is in force: what is not in it is spoken of no more. */
  retain(snapshot: GatewaySnapshot): void;
}

export interface ViewOptions {
  /** Of the workers whose view of the world is the gateway's. One that is about to go sees peers leave it. */
  sights(): readonly Sight[];
  /** Of all. */
  everybody(): readonly Sight[];
  say(message: UpMessage): void;
}

export function makeSight(): Sight {
  return { peers: new Map(), imports: new Map(), limits: undefined };
}

export function makeView({ sights, everybody, say }: ViewOptions): View {
  const toldPeers = new Map<string, string>();
  const toldImports = new Map<string, string>();
  /** By source: who has put it last. */
  const ejected = new Map<string, { readonly source: SourceKey; readonly by: Set<Sight> }>();

  /** @param gone - what is said of it when no worker knows it any more. */
  function tellPeer(name: string, gone: PeerObservation): void {
    const [first, ...more] = sights().flatMap(({ peers }) => peers.get(name) ?? []);
    const observation = first === undefined ? gone : mergePeers([first, ...more]);
    const text = JSON.stringify(observation);
    if (toldPeers.get(name) === text) return;
    if (observation.reason === REASONS.PeerUnknown) toldPeers.delete(name);
    else toldPeers.set(name, text);
    say({ kind: 'peer', peer: observation });
  }

  /** @param newest - who has said something of it just now: it may know of a newer snapshot than the others. */
  function tellImport(object: string, newest?: Sight): void {
    const views = [...sights()].sort((a, b) => Number(a === newest) - Number(b === newest));
    const [first, ...more] = views.flatMap(({ imports }) => imports.get(object) ?? []);
    if (first === undefined) return;
    const observation = mergeImports([first, ...more]);
    const text = JSON.stringify(observation);
    if (toldImports.get(object) === text) return;
    toldImports.set(object, text);
    say({ kind: 'import', import: observation });
  }

  /** Put last by one is put last, and back when no worker has it last any more. */
  function eject(sight: Sight, message: Extract<Seen, { kind: 'ejection' }>): void {
    const { source } = message.change;
    const id = formatSource(source);
    const { by } = ejected.get(id) ?? { by: new Set<Sight>() };
    const was = by.size > 0;
    if (message.change.ejected === undefined) by.delete(sight);
    else by.add(sight);
    const is = by.size > 0;
    if (is) ejected.set(id, { source, by });
    else ejected.delete(id);
    if (was !== is) say(message);
  }

  function refresh(): void {
    for (const name of toldPeers.keys()) tellPeer(name, unseenPeer(name));
    for (const object of toldImports.keys()) tellImport(object);
  }

  return {
    digest(sight, message) {
      switch (message.kind) {
        case 'peer': {
          const { peer } = message;
          if (peer.reason === REASONS.PeerUnknown) sight.peers.delete(peer.name);
          else sight.peers.set(peer.name, peer);
          return tellPeer(peer.name, peer);
        }
        case 'import': {
          const object = formatKey(message.import.key);
          sight.imports.set(object, message.import);
          return tellImport(object, sight);
        }
        case 'ejection':
          return eject(sight, message);
        case 'limits': {
          sight.limits = message.limits;
          const others = everybody().filter((one) => one !== sight);
          return say({
            kind: 'limits',
            limits: mergeLimits(
              message.limits,
              others.flatMap(({ limits }) => limits ?? []),
            ),
          });
        }
      }
    },
    forget(sight) {
      for (const { source, by } of [...ejected.values()]) {
        if (by.has(sight)) eject(sight, { kind: 'ejection', change: { source } });
      }
      refresh();
    },
    refresh,
    retain({ imports }) {
      const objects = new Set(imports.map(({ key }) => formatKey(key)));
      for (const seen of [toldImports, ...everybody().map((sight) => sight.imports)]) {
        for (const object of seen.keys()) if (!objects.has(object)) seen.delete(object);
      }
    },
  };
}

/** A worker that could have a session with it is not there yet, or not any more. */
function unseenPeer(name: string): PeerObservation {
  return { name, sessions: 0, reason: REASONS.WorkerLost, message: 'No worker process serves.' };
}
