/** Connects an export's connection to one of its ready endpoints: resolve, filter, dial, and on failure the next one. */
import { lookup } from 'node:dns/promises';
import { connect, isIP, type Socket } from 'node:net';
import { REASONS, type Reason } from '../api/reasons.ts';
import type { Endpoint } from '../catalogue/types.ts';
import { resetSocket } from '../runtime/reset-socket.ts';
import type { Asker } from './asker.ts';
import { DIAL_TIMEOUT_MS, DIALS_PER_CONNECTION_MAX } from './limits.ts';
import type { TargetFilter } from './targets.ts';

export type DialResult =
  | { readonly ok: true; readonly socket: Socket; readonly endpoint: Endpoint }
  | { readonly ok: false; readonly reason: Reason; readonly message: string };

export interface DialOptions {
  /** In the order in which they are tried. */
  readonly endpoints: readonly Endpoint[];
  /** Of the export. */
  readonly namespace: string;
  readonly targets: TargetFilter;
  /** Who waits for the connection. */
  readonly asker: Asker;
}

const NO_ANSWER = 'no answer in time';

/** Tries up to three endpoints. The socket can be half-open, nothing of it is read yet, and its errors are the caller's. */
export function dialEndpoint(options: DialOptions): Promise<DialResult> {
  return new Promise((resolve) => new Dialling(options, resolve).next());
}

/** One for each connection: as an object, since promises for each endpoint and each wait would cost more than the rest of it. */
class Dialling {
  readonly #options: DialOptions;
  readonly #resolve: (result: DialResult) => void;
  #tried = 0;
  #failure: DialResult | undefined;
  /** Of the endpoint that is being dialled. */
  #socket: Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #forgetAsker: (() => void) | undefined;

  constructor(options: DialOptions, resolve: (result: DialResult) => void) {
    this.#options = options;
    this.#resolve = resolve;
  }

  next(): void {
    const { endpoints, asker } = this.#options;
    const endpoint = this.#tried < DIALS_PER_CONNECTION_MAX ? endpoints[this.#tried] : undefined;
    if (endpoint === undefined || asker.isGone) return this.#resolve(this.#failure ?? untried(endpoints));
    this.#tried++;
    this.#timer = setTimeout(onLate, DIAL_TIMEOUT_MS, this, endpoint);
    this.#forgetAsker = asker.onGone(() => this.fail(endpoint, NO_ANSWER));
    if (isIP(endpoint.host) !== 0) return this.#connectTo(endpoint, endpoint.host);
    lookup(endpoint.host).then(
      ({ address }) => this.#isAt(endpoint) && this.#connectTo(endpoint, address),
      (error: unknown) => this.#isAt(endpoint) && this.fail(endpoint, describe(error)),
    );
  }

  expire(endpoint: Endpoint): void {
    if (this.#isAt(endpoint)) this.fail(endpoint, NO_ANSWER);
  }

  /** Whether that one is still waited for. */
  #isAt(endpoint: Endpoint): boolean {
    return this.#timer !== undefined && this.#options.endpoints[this.#tried - 1] === endpoint;
  }

  #connectTo(endpoint: Endpoint, address: string): void {
    const { namespace, targets } = this.#options;
    const { host, port } = endpoint;
    if (!targets.allows({ named: host, address, port, namespace })) {
      const message = `${host}:${port} is not among the permitted targets. Fix: add it to exports.targets in the configuration.`;
      return this.#giveUp({ ok: false, reason: REASONS.TargetForbidden, message });
    }
    const socket = connect({ host: address, port, allowHalfOpen: true, noDelay: true });
    this.#socket = socket;
    // One that was given up may still say what became of it.
    const onError = (error: Error): void => {
      if (this.#socket === socket) this.fail(endpoint, describe(error));
    };
    socket.on('error', onError);
    socket.once('connect', () => {
      if (this.#socket !== socket) return;
      socket.off('error', onError);
      this.#settle();
      this.#resolve({ ok: true, endpoint, socket });
    });
  }

  fail({ host, port }: Endpoint, cause: string): void {
    if (this.#socket !== undefined) abandon(this.#socket);
    this.#giveUp({ ok: false, reason: REASONS.DialFailed, message: `${host}:${port}: ${cause}` });
  }

  #giveUp(failure: DialResult): void {
    this.#settle();
    this.#failure = failure;
    this.next();
  }

  /** Nobody waits for that endpoint any more. */
  #settle(): void {
    clearTimeout(this.#timer);
    this.#forgetAsker?.();
    this.#timer = this.#forgetAsker = this.#socket = undefined;
  }
}

/** After a stall of this process it may be connected already: timers run before sockets are looked at. */
function onLate(dialling: Dialling, endpoint: Endpoint): void {
  setImmediate(() => dialling.expire(endpoint));
}

function untried(endpoints: readonly Endpoint[]): DialResult {
  return endpoints.length === 0
    ? { ok: false, reason: REASONS.NoUsableSource, message: 'The export has no ready endpoint.' }
    : { ok: false, reason: REASONS.DialFailed, message: 'No endpoint was tried.' };
}

/** The endpoint may have accepted it although nobody here has heard of that: it sees a reset, not a client that has nothing to say. */
function abandon(socket: Socket): void {
  if (!socket.connecting) return void socket.destroy();
  socket.on('error', () => undefined);
  // Resets as soon as it is connected, which may be never.
  resetSocket(socket);
  const timer = setTimeout(() => socket.destroy(), DIAL_TIMEOUT_MS);
  socket.once('close', () => clearTimeout(timer));
}

function describe(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
