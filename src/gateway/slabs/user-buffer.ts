/**
 * Reads of a socket into memory of ours, also where Node has no option for it. The only file that touches Node's inside.
 *
 * Node's `onread` is an option of `net.connect` alone: neither accepted sockets nor TLS over a given socket have it. What it sets
 * are three properties of the socket, and the buffer that its handle reads into. A Node in which that is otherwise would write
 * where it should not, so it is done only in versions that were tested, after a test at start, and else not at all.
 */
import type { Socket } from 'node:net';
import type { Attached, UserBuffer } from './attach.ts';
import { passesSelfTest } from './self-test.ts';

/** The fast path was read, and its tests have passed, in these. */
const NODE_VERSIONS_TESTED = ['26.10'];

interface Handle {
  useUserBuffer(buffer: Uint8Array): void;
}

/** Whether sockets are read into memory of ours, or why not. */
export type FastPath = 'on' | 'switched_off' | 'node_untested' | 'self_test_failed';

let proved = false;

/** Whether reads go into memory of ours: false until {@link proveUserBuffers} has passed. */
export function hasUserBuffers(): boolean {
  return proved;
}

/** From now on as Node does it by itself; what reads otherwise already stays as it is. */
export function forgetUserBuffers(): void {
  proved = false;
}

/**
 * From now on all that the socket reads goes there, and not through its stream; `pause`, `resume`, `end` and errors are as ever.
 * Once for a socket. What its stream holds already is the caller's to read, before.
 *
 * @returns undefined where that cannot be, and nothing has changed.
 */
export function readInto(socket: Socket, userBuffer: UserBuffer): Attached | undefined {
  return proved ? attach(socket, userBuffer) : undefined;
}

function attach(socket: Socket, { next, onRead }: UserBuffer): Attached | undefined {
  const [buffer, callback, generator] = ['kBuffer', 'kBufferCb', 'kBufferGen'].map((name) => symbolOf(socket, name));
  const handle = handleOf(socket);
  if (buffer === undefined || callback === undefined || generator === undefined || handle === undefined)
    return undefined;
  const inside = socket as unknown as Record<symbol, unknown>;
  // Somebody reads it like this already.
  if (inside[buffer]) return undefined;
  const move = (): void => {
    // Closed: nothing is read any more.
    if (handleOf(socket) !== handle) return;
    const memory = next();
    inside[buffer] = memory;
    handle.useUserBuffer(memory);
  };
  inside[callback] = onRead;
  inside[generator] = next;
  move();
  return { move };
}

/** Each is one for all sockets. */
const symbols = new Map<string, symbol>();

function symbolOf(socket: Socket, name: string): symbol | undefined {
  const known = symbols.get(name);
  if (known !== undefined && known in socket) return known;
  const found = Object.getOwnPropertySymbols(socket).find(({ description }) => description === name);
  if (found !== undefined) symbols.set(name, found);
  return found;
}

function handleOf(socket: Socket): Handle | undefined {
  const handle: unknown = Reflect.get(socket, '_handle');
  if (typeof handle !== 'object' || handle === null) return undefined;
  return typeof Reflect.get(handle, 'useUserBuffer') === 'function' ? (handle as Handle) : undefined;
}

/** To be called once at start, before traffic, with the setting. Never rejects. */
export async function startFastPath(setting: 'on' | 'off'): Promise<FastPath> {
  if (setting === 'on') return proveUserBuffers();
  forgetUserBuffers();
  return 'switched_off';
}

/** Holds for the whole process. Never rejects. */
export async function proveUserBuffers(version = process.versions.node): Promise<FastPath> {
  if (!NODE_VERSIONS_TESTED.some((tested) => version.startsWith(`${tested}.`))) return 'node_untested';
  proved ||= await passesSelfTest(attach).catch(() => false);
  return proved ? 'on' : 'self_test_failed';
}
