/** Asks for the names of imports all the time: what is there must not be denied, and must not move. */
import { Resolver } from 'node:dns/promises';
import { setTimeout as sleep } from 'node:timers/promises';

const ASK_EVERY_MS = 100;
/** As clients do it: datagrams may be lost, and a loaded machine is slow. */
const ANSWER_TIMEOUT_MS = 3_000;
const TRIES = 3;

export interface NamesOptions {
  readonly server: string;
  /** Names with the one address that each has. */
  readonly addresses: ReadonlyMap<string, string>;
  /** As for services, of the process that answers. */
  watchProcess(): () => boolean;
  /** Whether the name is declared away just now: then it need not be there. */
  isUndeclared(name: string): boolean;
  onLost(what: string): void;
}

export interface Names {
  readonly asked: number;
  close(): Promise<void>;
}

export function startNames({ server, addresses, watchProcess, isUndeclared, onLost }: NamesOptions): Names {
  const resolver = new Resolver({ timeout: ANSWER_TIMEOUT_MS, tries: TRIES });
  resolver.setServers([server]);
  let asked = 0;
  let isClosed = false;

  async function ask(name: string, address: string): Promise<void> {
    const died = watchProcess();
    const wasUndeclared = isUndeclared(name);
    const answer = await resolver.resolve4(name).then(
      (found) => found.join(' '),
      (error: NodeJS.ErrnoException) => String(error.code),
    );
    asked += 1;
    if (isClosed || answer === address || wasUndeclared || isUndeclared(name)) return;
    // No answer, or SERVFAIL, is what a responder that is down gives; that a name does not exist is never excused.
    if (['ETIMEOUT', 'ECONNREFUSED', 'ESERVFAIL'].includes(answer) && died()) return;
    onLost(`DNS: ${name} is ${answer === 'ENOTFOUND' ? 'NXDOMAIN' : answer}, not ${address}`);
  }

  const loops = [...addresses].map(async ([name, address]) => {
    while (!isClosed) {
      await ask(name, address);
      await sleep(ASK_EVERY_MS);
    }
  });
  return {
    get asked() {
      return asked;
    },
    async close() {
      isClosed = true;
      resolver.cancel();
      await Promise.all(loops);
    },
  };
}
