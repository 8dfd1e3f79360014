/**
 * Where local clients reach imports: one TCP listener for each address and port, open only while a source can be used, so
 * that an import without one refuses to connect instead of accepting and hanging up (DESIGN §3.9).
 */
import { createServer, type Server, type Socket } from 'node:net';
import type { ImportBindingStatusListener } from '../api/generated/ImportBinding.ts';
import { REASONS } from '../api/reasons.ts';
import { LISTEN_RETRY_MS, REMAP_ATTEMPTS_MAX, REMAP_PORT_FIRST, REMAP_PORT_LAST } from './limits.ts';
import type { WantedListener } from './wanted-listeners.ts';

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
  /** Where others share the listeners of this process; absent: nobody does. */
  readonly places?: PlaceClaims | undefined;
}

/** Leave to listen at an address and port, which is given to one owner: `namespace/name port` of an import. */
export interface PlaceClaims {
  /** Undefined: granted. Else the code of the kernel that says why not. */
  claim(place: {
    readonly address: string;
    readonly port: number;
    readonly owner: string;
  }): Promise<string | undefined>;
  release(place: { readonly address: string; readonly port: number; readonly owner: string }): void;
}

export interface Listeners {
  /** Opens what is usable and missing, closes what is neither wanted nor usable. Connections that are open stay. */
  apply(wanted: readonly WantedListener[], isUsable: (listener: WantedListener) => boolean): void;
  close(): Promise<void>;
}

/** One wanted listener and what became of it. */
interface Slot {
  spec: WantedListener;
  wanted: boolean;
  /** Of no import any more; it stays until it is closed, so that a returning one does not meet its own listener. */
  gone: boolean;
  server: Server | undefined;
  /** Gives its place back. */
  release: (() => void) | undefined;
  lastListenPort: number | undefined;
  retry: NodeJS.Timeout | undefined;
  state: ImportBindingStatusListener;
}

export function makeListeners({ onClient, onState, places: claims }: ListenersOptions): Listeners {
  const slots = new Map<string, Slot>();
  /** The same by import: 10,000 listeners that each told of all would take seconds. */
  const slotsByObject = new Map<string, Set<Slot>>();
  const places = makePlaces();

  function apply(wanted: readonly WantedListener[], isUsable: (listener: WantedListener) => boolean): void {
    const specs = new Map(wanted.map((spec) => [idOf(spec), spec]));
    // First what goes: a target port that moves to another import is given up before it is taken.
    for (const [id, slot] of slots) {
      if (specs.has(id) || slot.gone) continue;
      slot.gone = true;
      report(slot);
      setWanted(slot, false);
      places.queue(placeOf(slot.spec), () => {
        if (slot.gone && slots.get(id) === slot) dropSlot(id, slot);
      });
    }
    for (const [id, spec] of specs) {
      const slot = slots.get(id) ?? addSlot(id, spec);
      slot.spec = spec;
      slot.gone = false;
      setWanted(slot, isUsable(spec));
    }
  }

  function addSlot(id: string, spec: WantedListener): Slot {
    const { lastListenPort } = spec;
    const slot: Slot = {
      spec,
      wanted: false,
      gone: false,
      server: undefined,
      release: undefined,
      lastListenPort,
      retry: undefined,
      state: closedState(spec, lastListenPort),
    };
    slots.set(id, slot);
    const siblings = slotsByObject.get(spec.object) ?? new Set<Slot>();
    slotsByObject.set(spec.object, siblings.add(slot));
    report(slot);
    return slot;
  }

  /** The import is part of a slot's id, so that it is the same for as long as the slot lives. */
  function dropSlot(id: string, slot: Slot): void {
    slots.delete(id);
    const siblings = slotsByObject.get(slot.spec.object);
    siblings?.delete(slot);
    if (siblings?.size === 0) slotsByObject.delete(slot.spec.object);
  }

  function setWanted(slot: Slot, wanted: boolean): void {
    if (slot.wanted === wanted) return;
    slot.wanted = wanted;
    work(slot);
  }

  /** Level-driven: whatever is wanted when its turn comes. */
  function work(slot: Slot): void {
    places.queue(placeOf(slot.spec), () => (slot.wanted ? open(slot) : shut(slot)));
  }

  async function open(slot: Slot): Promise<void> {
    if (slot.server !== undefined) return;
    clearTimeout(slot.retry);
    const { object, address, port, listenPort } = slot.spec;
    let cause = '';
    for (const candidate of candidatePorts(slot)) {
      const place = { address, port: candidate, owner: `${object} ${port}` };
      const taken = await claims?.claim(place);
      if (taken !== undefined) {
        cause = cause || explainListenError({ code: taken, message: taken }, address, candidate);
        continue;
      }
      const attempt = await listen({
        address,
        port: candidate,
        onSocket: (socket) => onClient({ object, port }, socket),
      });
      if (attempt.ok) {
        slot.server = attempt.server;
        slot.release = () => claims?.release(place);
        slot.lastListenPort = candidate === listenPort ? undefined : candidate;
        slot.state = listeningState({ spec: slot.spec, listenPort: candidate, cause });
        return report(slot);
      }
      claims?.release(place);
      cause = cause || attempt.message;
    }
    const fixed = slot.spec.ifTaken === 'fail' ? { listenPort } : {};
    slot.state = { port, address, ...fixed, state: 'Failed', reason: 'AddressInUse', message: cause };
    slot.retry = setTimeout(() => work(slot), LISTEN_RETRY_MS);
    report(slot);
  }

  function shut(slot: Slot): void {
    clearTimeout(slot.retry);
    slot.server?.close();
    slot.server = undefined;
    slot.release?.();
    slot.release = undefined;
    slot.state = closedState(slot.spec, slot.lastListenPort);
    report(slot);
  }

  function report({ spec: { object } }: Slot): void {
    const present = [...(slotsByObject.get(object) ?? [])].filter((slot) => !slot.gone);
    onState(
      object,
      present.map(({ state }) => state),
    );
  }

  return {
    apply,
    async close() {
      for (const slot of slots.values()) setWanted(slot, false);
      await places.idle();
      slots.clear();
      slotsByObject.clear();
    },
  };
}

function idOf({ object, address, port, listenPort }: WantedListener): string {
  return `${object} ${address} ${port} ${listenPort}`;
}

function placeOf({ address, listenPort }: WantedListener): string {
  return `${address} ${listenPort}`;
}

/** Serialises opening and closing at one address and port, whichever imports it is for. */
function makePlaces() {
  const tails = new Map<string, Promise<void>>();
  return {
    queue(place: string, task: () => void | Promise<void>): void {
      const tail: Promise<void> = (tails.get(place) ?? Promise.resolve()).then(task).then(() => {
        if (tails.get(place) === tail) tails.delete(place);
      });
      tails.set(place, tail);
    },
    async idle(): Promise<void> {
      await Promise.all(tails.values());
    },
  };
}

/** The port itself, then where it was before, then places in the remap range that depend on the name alone. */
function* candidatePorts({ spec: { object, listenPort, ifTaken }, lastListenPort }: Slot): Generator<number> {
  yield listenPort;
  if (ifTaken === 'fail') return;
  if (lastListenPort !== undefined) yield lastListenPort;
  const size = REMAP_PORT_LAST - REMAP_PORT_FIRST + 1;
  let place = listenPort;
  for (const char of object) place = (place * 31 + (char.codePointAt(0) ?? 0)) % size;
  for (let step = 0; step < REMAP_ATTEMPTS_MAX; step++) yield REMAP_PORT_FIRST + ((place + step * 7) % size);
}

/** A listener that is, or will be, elsewhere than the import's port says where: DNS and derived Services name that port. */
function closedState(
  { port, address, listenPort, ifTaken }: WantedListener,
  lastListenPort: number | undefined,
): ImportBindingStatusListener {
  const elsewhere = ifTaken === 'fail' ? listenPort : lastListenPort;
  const moved = elsewhere === undefined ? {} : { listenPort: elsewhere };
  return { port, address, ...moved, state: 'Closed', reason: REASONS.NoUsableSource };
}

function listeningState(input: {
  readonly spec: WantedListener;
  readonly listenPort: number;
  readonly cause: string;
}): ImportBindingStatusListener {
  const { spec, listenPort, cause } = input;
  const { port, address } = spec;
  const plain: ImportBindingStatusListener = { port, address, listenPort, state: 'Listening' };
  if (listenPort === spec.listenPort) return plain;
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
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, onSocket);
    server.once('error', (error: NodeJS.ErrnoException) => {
      server.close();
      resolve({ ok: false, message: explainListenError(error, address, port) });
    });
    // In a worker the main process has the socket, and the others of its kind accept from it too.
    server.listen({ host: address, port, exclusive: false }, () => {
      server.removeAllListeners('error');
      server.on('error', () => undefined);
      resolve({ ok: true, server });
    });
  });
}

function explainListenError(
  error: Pick<NodeJS.ErrnoException, 'code' | 'message'>,
  address: string,
  port: number,
): string {
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
