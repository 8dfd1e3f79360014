/** What the demo is made of: a profile says which peers there are and what is shown of them, step by step. */
import type { Names } from './clients.ts';
import type { DemoLayout, PeerPlan } from './layout.ts';
import type { PeerProcess } from './peer-process.ts';
import type { Database } from './services.ts';

/** What the steps share; each step leaves it for the next. */
export interface DemoContext<Name extends string> {
  readonly layout: DemoLayout<Name>;
  readonly peers: Map<Name, PeerProcess>;
  /** Whatever was opened, in the order of opening. */
  readonly closers: (() => Promise<void>)[];
  /** Prints a line to the reader. */
  say(text: string): void;
  readonly names: Names;
  database?: Database;
}

export interface Step<Name extends string> {
  readonly name: string;
  /** One sentence for the reader, before it runs. */
  readonly words: string;
  run(context: DemoContext<Name>): Promise<void>;
}

export interface Profile<Name extends string> {
  readonly peers: readonly PeerPlan<Name>[];
  /** The peer on whose host the clients are: its DNS is asked. */
  readonly clientsAt: Name;
  /** Before the first step: what has to stand in the folders of the peers when they start. */
  prepare(context: DemoContext<Name>): Promise<void>;
  readonly steps: readonly Step<Name>[];
  /** Commands for whoever looks around by hand. */
  commandsToTry(layout: DemoLayout<Name>): readonly string[];
}

/** Deadlines that the product promises: a cut, and going on without a peer that died (DESIGN §3.2, §7). */
export const PROMISE_MS = 2_000;
/** What is only waited for. */
export const SETTLE_MS = 10_000;
