/** One peer as a process that is killed and started again, always with the same addresses and folders. */
import type { StandalonePeer, World } from '#test/support/standalone.ts';

export interface PeerProcess {
  readonly name: string;
  /** The one that runs, or ran last. */
  readonly now: StandalonePeer;
  /** What it gives says, at the end of something, whether nobody answered for the peer at any time since. */
  watchDown(): () => boolean;
  /** The same for its death alone: a process that is stopped must still not end anything badly. */
  watchDeath(): () => boolean;
  kill(): Promise<void>;
  start(): Promise<void>;
  pause(): void;
  resume(): void;
}

export interface PeerProcessOptions {
  readonly world: World;
  readonly name: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly environment: Readonly<Record<string, string>>;
}

export async function startPeerProcess(options: PeerProcessOptions): Promise<PeerProcess> {
  const { world, name, config, environment } = options;
  const start = (): Promise<StandalonePeer> => world.peer(name, { ...config }, environment);
  let now = await start();
  const death = makeInterval();
  const pause = makeInterval();
  return {
    name,
    get now() {
      return now;
    },
    watchDown() {
      const [died, paused] = [death.watch(), pause.watch()];
      return () => died() || paused();
    },
    watchDeath: () => death.watch(),
    async kill() {
      death.begin();
      await now.stop('SIGKILL');
    },
    async start() {
      now = await start();
      death.end();
    },
    pause() {
      pause.begin();
      now.signal('SIGSTOP');
    },
    resume() {
      now.signal('SIGCONT');
      pause.end();
    },
  };
}

/** Something that is on at times; who watches learns whether it was on at any time since. */
function makeInterval(): { begin(): void; end(): void; watch(): () => boolean } {
  let count = 0;
  let isOn = false;
  return {
    begin() {
      count += 1;
      isOn = true;
    },
    end: () => void (isOn = false),
    watch() {
      const [before, wasOn] = [count, isOn];
      return () => wasOn || count !== before;
    },
  };
}
