/**
 * Where local clients reach imports: one TCP listener for each address and port, open only while a source can be used, so
 * that an import without one refuses to connect instead of accepting and hanging up (DESIGN §3.9).
 */
import { createServer, type Server, type Socket } from 'node:net';
import type { ImportBindingStatusListener } from '../api/generated/ImportBinding.ts';
import { formatKey } from '../api/object.ts';
import { REASONS } from '../api/reasons.ts';
import { LISTEN_RETRY_MS, REMAP_ATTEMPTS_MAX, REMAP_PORT_FIRST, REMAP_PORT_LAST } from './limits.ts';
import type { ImportRoute, RoutePort } from './messages.ts';

/** A client of an import: which import, by which port. */
export interface Arrival {
  /** `namespace/name` of the import. */
  readonly object: string;
  readonly port: number;
}

export interface ListenersOptions {
  onClient(arrival: Arrival, socket: Socket): void;
  /** The listeners of one import have changed. */
  onState(object: string, listeners: readonly ImportBindingStatusListener[]): void;
}

export interface Listeners {
  /** Opens what is usable and missing, closes what is neither wanted nor usable. Connections that are open stay. */
  apply(routes: Iterable<ImportRoute>, isUsable: (route: ImportRoute, port: number) => boolean): void;
  close(): Promise<void>;
}

/** One wanted listener and what became of it. */
interface Slot {
  readonly object: string;
  readonly address: string;
  port: RoutePort;
  wanted: boolean;
  /** Of no import any more; it stays until it is closed, so that a returning one does not meet its own listener. */
  gone: boolean;
  server: Server | undefined;
  /** Where it was before, when it could not have the port itself: clients and SRV records know that one. */
  lastListenPort: number | undefined;
  /** Serialises opening and closing. */
  work: Promise<void>;
  retry: NodeJS.Timeout | undefined;
  state: ImportBindingStatusListener;
}

export function makeListeners({ onClient, onState }: ListenersOptions): Listeners {
  const slots = new Map<string, Slot>();

  function apply(routes: Iterable<ImportRoute>, isUsable: (route: ImportRoute, port: number) => boolean): void {
    const seen = new Set<string>();
    for (const route of routes) {
      for (const address of route.ips) {
        for (const port of route.ports) {
          if (port.protocol !== 'TCP') continue;
          const object = formatKey(route.key);
          const id = `${object} ${address} ${port.port}`;
          seen.add(id);
          const slot = slots.get(id) ?? addSlot(id, { object, address, port });
          slot.port = port;
          slot.gone = false;
          setWanted(slot, isUsable(route, port.port));
        }
      }
    }
    for (const [id, slot] of slots) {
      if (seen.has(id) || slot.gone) continue;
      slot.gone = true;
      report(slot);
      setWanted(slot, false);
      slot.work = slot.work.then(() => {
        if (slot.gone && slots.get(id) === slot) slots.delete(id);
      });
    }
  }

  function addSlot(id: string, { object, address, port }: Pick<Slot, 'object' | 'address' | 'port'>): Slot {
    const { lastListenPort } = port;
    const slot: Slot = {
      object,
      address,
      port,
      wanted: false,
      gone: false,
      server: undefined,
      lastListenPort,
      work: Promise.resolve(),
      retry: undefined,
      state: closedState({ address, port: port.port, lastListenPort }),
    };
    slots.set(id, slot);
    report(slot);
    return slot;
  }

  function setWanted(slot: Slot, wanted: boolean): void {
    if (slot.wanted === wanted) return;
    slot.wanted = wanted;
    work(slot);
  }

  /** Level-driven: whatever is wanted when its turn comes. */
  function work(slot: Slot): void {
    slot.work = slot.work.then(() => (slot.wanted ? open(slot) : shut(slot)));
  }

  async function open(slot: Slot): Promise<void> {
    if (slot.server !== undefined) return;
    clearTimeout(slot.retry);
    const { address, port } = slot;
    let cause = '';
    for (const candidate of candidatePorts(slot)) {
      const attempt = await listen({
        address,
        port: candidate,
        onSocket: (socket) => onClient({ object: slot.object, port: port.port }, socket),
      });
      if (attempt.ok) {
        slot.server = attempt.server;
        slot.lastListenPort = candidate === port.port ? undefined : candidate;
        slot.state = listeningState({ address, port: port.port, listenPort: candidate, cause });
        return report(slot);
      }
      cause = cause || attempt.message;
    }
    slot.state = { port: port.port, address, state: 'Failed', reason: 'AddressInUse', message: cause };
    slot.retry = setTimeout(() => work(slot), LISTEN_RETRY_MS);
    report(slot);
  }

  function shut(slot: Slot): void {
    clearTimeout(slot.retry);
    slot.server?.close();
    slot.server = undefined;
    const { address, port, lastListenPort } = slot;
    slot.state = closedState({ address, port: port.port, lastListenPort });
    report(slot);
  }

  function report({ object }: Slot): void {
    const present = [...slots.values()].filter((slot) => slot.object === object && !slot.gone);
    onState(
      object,
      present.map(({ state }) => state),
    );
  }

  return {
    apply,
    async close() {
      for (const slot of slots.values()) setWanted(slot, false);
      await Promise.all([...slots.values()].map(({ work }) => work));
      slots.clear();
    },
  };
}

/** The port itself, then where it was before, then places in the remap range that depend on the name alone. */
function* candidatePorts({ object, port, lastListenPort }: Slot): Generator<number> {
  yield port.port;
  if (lastListenPort !== undefined) yield lastListenPort;
  const size = REMAP_PORT_LAST - REMAP_PORT_FIRST + 1;
  let place = port.port;
  for (const char of object) place = (place * 31 + (char.codePointAt(0) ?? 0)) % size;
  for (let step = 0; step < REMAP_ATTEMPTS_MAX; step++) yield REMAP_PORT_FIRST + ((place + step * 7) % size);
}

/** A listener that has moved says where it will be again: DNS goes on naming that port. */
function closedState(input: {
  readonly address: string;
  readonly port: number;
  readonly lastListenPort: number | undefined;
}): ImportBindingStatusListener {
  const { address, port, lastListenPort: listenPort } = input;
  const moved = listenPort === undefined ? {} : { listenPort };
  return { port, address, ...moved, state: 'Closed', reason: REASONS.NoUsableSource };
}

function listeningState(input: {
  readonly address: string;
  readonly port: number;
  readonly listenPort: number;
  readonly cause: string;
}): ImportBindingStatusListener {
  const { address, port, listenPort, cause } = input;
  const plain: ImportBindingStatusListener = { port, address, listenPort, state: 'Listening' };
  if (listenPort === port) return plain;
  const rule = `iptables -t nat -A OUTPUT -p tcp -d ${address} --dport ${port} -j REDIRECT --to-ports ${listenPort}`;
  const message = `${cause}; listening on ${address}:${listenPort} instead, as the SRV record says. To have port ${port}: ${rule}`;
  return { ...plain, reason: REASONS.PortRemapped, message };
}

type ListenResult = { readonly ok: true; readonly server: Server } | { readonly ok: false; readonly message: string };

function listen(input: {
  readonly address: string;
  readonly port: number;
  onSocket(socket: Socket): void;
}): Promise<ListenResult> {
  const { address, port, onSocket } = input;
  return new Promise((resolve) => {
    // Paused: a byte read before a source is chosen would have to be kept.
    const server = createServer(
      { allowHalfOpen: true, pauseOnConnect: true, noDelay: true, keepAlive: true },
      onSocket,
    );
    server.once('error', (error: NodeJS.ErrnoException) => {
      server.close();
      resolve({ ok: false, message: explainListenError(error, address, port) });
    });
    server.listen({ host: address, port, exclusive: true }, () => {
      server.removeAllListeners('error');
      server.on('error', () => undefined);
      resolve({ ok: true, server });
    });
  });
}

function explainListenError(error: NodeJS.ErrnoException, address: string, port: number): string {
  switch (error.code) {
    case 'EACCES':
      return `${address}:${port} needs a privilege that this user does not have`;
    case 'EADDRINUSE':
      return `${address}:${port} is taken by another listener (one on 0.0.0.0:${port} takes it on every address)`;
    case 'EADDRNOTAVAIL':
      return `${address} is not an address of this machine`;
    default:
      return `${address}:${port}: ${error.code ?? error.message}`;
  }
}
