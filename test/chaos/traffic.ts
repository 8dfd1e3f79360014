/** Clients at a steady rate, each with a place to go to, bytes to check, and an end that is told apart. */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { resetSocket } from '#src/runtime/reset-socket.ts';
import { bytesOf, encodeLabel, makeChecker, makeLabelReader, type Checker, type Label } from './bytes.ts';

const TICK_MS = 10;
/** Beyond it no more are opened: what a stopped process leaves waiting is bounded. */
const OPEN_MAX = 1_500;
/** The longest ones last 20 s by themselves, and a stop 10 s. */
const CLIENT_TIMEOUT_MS = 60_000;

/** Those that are open at the end have so long; the rest is reset. */
const LAST_CLIENTS_TIMEOUT_MS = 5_000;

/** `cut`: reset or failed in the middle; `refused`: nobody listens; `killed`: ended with the process it went through. */
export type Outcome = 'done' | 'cut' | 'refused' | 'killed' | 'late' | 'wrong';

export interface Destination {
  readonly service: string;
  readonly host: string;
  readonly port: number;
  /** Peers that may serve it. */
  readonly sources: readonly string[];
}

export interface TrafficOptions {
  readonly destinations: readonly Destination[];
  readonly perSecond: number;
  /** As for services, of the peer that the clients connect to. */
  watchProcess(): () => boolean;
  onWrong(what: string): void;
}

export interface Traffic {
  readonly counts: Readonly<Record<Outcome, number>>;
  readonly open: number;
  /** When the youngest connection was opened that this peer served to its end, by `performance.now()`; 0 before the first. */
  servedMs(service: string, peer: string): number;
  close(): Promise<void>;
}

export function startTraffic({ destinations, perSecond, watchProcess, onWrong }: TrafficOptions): Traffic {
  const counts: Record<Outcome, number> = { done: 0, cut: 0, refused: 0, killed: 0, late: 0, wrong: 0 };
  const served = new Map<string, number>();
  const clients = new Set<{ abort(): void }>();
  let opened = 0;
  let due = 0;
  let lastMs = performance.now();

  function openOne(): void {
    const id = ++opened;
    const destination = destinations[id % destinations.length];
    if (destination === undefined) throw new Error('no destinations');
    const startedMs = performance.now();
    const client = runClient({
      destination,
      label: makeLabel(id, destination.service),
      died: watchProcess(),
      onEnd({ outcome, peer, what }) {
        clients.delete(client);
        counts[outcome] += 1;
        if (outcome === 'wrong') onWrong(`client: connection ${id} to ${destination.service}: ${what}`);
        if (outcome !== 'done') return;
        const key = `${destination.service} ${peer}`;
        served.set(key, Math.max(served.get(key) ?? 0, startedMs));
      },
    });
    clients.add(client);
  }

  const timer = setInterval(() => {
    const nowMs = performance.now();
    // After a pause of this process itself, a second's worth at most is made up for.
    due = Math.min(due + ((nowMs - lastMs) * perSecond) / 1000, perSecond);
    lastMs = nowMs;
    for (; due >= 1; due--) if (clients.size < OPEN_MAX) openOne();
  }, TICK_MS);

  return {
    counts,
    get open() {
      return clients.size;
    },
    servedMs: (service, peer) => served.get(`${service} ${peer}`) ?? 0,
    async close() {
      clearInterval(timer);
      const untilMs = performance.now() + LAST_CLIENTS_TIMEOUT_MS;
      while (clients.size > 0 && performance.now() < untilMs) await sleep(TICK_MS);
      clients.forEach((client) => client.abort());
    },
  };
}

/** Most are short; one in fifty is large, one in twenty-five is open for up to 20 s. */
function makeLabel(id: number, service: string): Label {
  const isLarge = id % 50 === 0;
  const isLong = id % 25 === 7;
  return {
    service,
    id,
    from: 'client',
    upBytes: isLarge && id % 100 === 0 ? 512 * 1024 : (id * 37) % 2_048,
    downBytes: isLarge ? 512 * 1024 : isLong ? 1024 * (10 + (id % 30)) : (id * 101) % 16_384,
    paceMs: isLong ? 500 : 0,
  };
}

interface ClientOptions {
  readonly destination: Destination;
  readonly label: Label;
  died(): boolean;
  onEnd(end: { readonly outcome: Outcome; readonly peer: string; readonly what: string }): void;
}

function runClient({ destination, label, died, onEnd }: ClientOptions): { abort(): void } {
  const { host, port, service, sources } = destination;
  const socket = connect({ host, port, noDelay: true, allowHalfOpen: true });
  const reader = makeLabelReader();
  let checker: Checker | undefined;
  let peer = '';
  let isOver = false;

  function finish(outcome: Outcome, what = ''): void {
    if (isOver) return;
    isOver = true;
    clearTimeout(timer);
    // Never a clean end of this side that the other might take for all there was.
    if (outcome === 'done') socket.destroy();
    else resetSocket(socket);
    onEnd({ outcome, peer, what });
  }

  function take(chunk: Buffer): void {
    let bytes = chunk;
    if (checker === undefined) {
      const read = reader.push(chunk);
      if (read === undefined) return;
      if (read === 'wrong') return finish('wrong', 'the answer begins with bytes that no service sent');
      peer = read.label.from;
      if (read.label.service !== service || read.label.id !== label.id || !sources.includes(peer)) {
        return finish('wrong', `answered by ${peer}/${read.label.service} for connection ${read.label.id}`);
      }
      checker = makeChecker(label.id, 'down', label.downBytes);
      bytes = read.rest;
    }
    const problem = checker.check(bytes);
    if (problem !== undefined) finish('wrong', problem);
  }

  const timer = setTimeout(() => finish('late'), CLIENT_TIMEOUT_MS);
  socket.on('data', take);
  socket.on('end', () => {
    if (checker?.missing === 0) return finish('done');
    // The kernel may end the sockets of a killed process in either way.
    if (died()) return finish('killed');
    finish('wrong', `ended cleanly, ${checker?.missing ?? 'all'} bytes early`);
  });
  socket.on('error', ({ code }: NodeJS.ErrnoException) => finish(code === 'ECONNREFUSED' ? 'refused' : 'cut'));
  socket.write(encodeLabel(label));
  sendUp(socket, label);
  return { abort: () => finish('late') };
}

function sendUp(socket: ReturnType<typeof connect>, { id, upBytes }: Label): void {
  let offset = 0;
  const push = (): void => {
    if (socket.destroyed) return;
    if (offset === upBytes) return void socket.end();
    const piece = bytesOf({ id, direction: 'up', offset, length: Math.min(16 * 1024, upBytes - offset) });
    offset += piece.length;
    socket.write(piece, push);
  };
  push();
}
