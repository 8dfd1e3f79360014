/** One exporter and one importer with everything that the cases use; what cases change they put back. */
import { createServer, type Server } from 'node:net';
import { makePolicy } from '#test/support/clusterlink/decision-rows.ts';
import type { Address, PeerObject } from '#test/support/clusterlink/types.ts';
import { waitFor } from '#test/support/wait.ts';
import { ASKER, makeHand, OTHER, type Hand } from './hand.ts';
import { startServices, type ServiceName, type Services } from './services.ts';
import type { Driver, InteropImport, Kind, Side, SideObjects } from './side.ts';
import { echoOnce, listenOn } from './sockets.ts';

export interface Scene extends AsyncDisposable {
  readonly driver: Driver;
  readonly exporter: Side;
  readonly importer: Side;
  readonly services: Services;
  /** As {@link ASKER}, and as {@link OTHER}. */
  readonly asker: Hand;
  readonly other: Hand;
  /** Where a client reaches the import of this name. */
  importOf(name: ExportName): Promise<Address>;
  /** The exporter with these exports fewer. */
  withdraw(...names: readonly ExportName[]): Promise<void>;
  /** The importer with these gateways of the exporter. */
  setGateways(gateways: readonly Address[]): Promise<void>;
  /** A gateway that takes nobody, and how many have tried. */
  startDeadGateway(): Promise<{ readonly address: Address; tries(): number }>;
}

/** `denied` is refused by the exporter's policy, `unwanted` by the importer's; `gone` is there to be deleted. */
export type ExportName = ServiceName | 'denied' | 'unwanted' | 'gone' | 'private';

const SERVICE_OF: Readonly<Record<ExportName, ServiceName>> = {
  echo: 'echo',
  greet: 'greet',
  late: 'late',
  large: 'large',
  denied: 'echo',
  unwanted: 'echo',
  gone: 'echo',
  private: 'echo',
};
const NAMES = Object.keys(SERVICE_OF) as readonly ExportName[];
const FIRST_PORT = 7_000;
const TRAFFIC_WAIT_MS = 20_000;
const EXPORT_NAME = 'export.clusterlink.net/name';

export async function startScene(
  driver: Driver,
  kinds: { readonly exporter: Kind; readonly importer: Kind },
): Promise<Scene> {
  const stack = new AsyncDisposableStack();
  try {
    const services = stack.use(await startServices(driver.host));
    // One of the two flavours tells labels, the other none: both forms of a heartbeat are in the matrix.
    const labels = [kinds.exporter, kinds.importer].includes('go') ? { labels: { region: 'eu' } } : {};
    const exporter = await driver.start(kinds.exporter, { name: 'west', ...labels });
    stack.defer(() => exporter.close());
    const importer = await driver.start(kinds.importer, { name: 'east', ...labels });
    stack.defer(() => importer.close());
    const scene = makeScene({ driver, services, exporter, importer, stack });
    await scene.begin();
    return scene;
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

interface Parts {
  readonly driver: Driver;
  readonly services: Services;
  readonly exporter: Side;
  readonly importer: Side;
  readonly stack: AsyncDisposableStack;
}

function makeScene({ driver, services, exporter, importer, stack }: Parts): Scene & { begin(): Promise<void> } {
  let exported = exporterObjects({ driver, services, importer });
  let imported = importerObjects(exporter);
  return {
    ...{ driver, exporter, importer, services },
    asker: makeHand({ driver, exporter, caller: ASKER }),
    other: makeHand({ driver, exporter, caller: OTHER }),
    importOf: (name) => importer.importAddress(`store/${name}`),
    async withdraw(...names) {
      const all = exporterObjects({ driver, services, importer });
      exported = { ...all, exports: all.exports.filter(({ name }) => !names.includes(name as ExportName)) };
      await exporter.apply(exported);
    },
    async setGateways(gateways) {
      imported = { ...imported, peers: [{ name: exporter.name, gateways }] };
      await importer.apply(imported);
    },
    async startDeadGateway() {
      let tries = 0;
      const server = createServer((socket) => {
        tries++;
        socket.resetAndDestroy();
      });
      stack.defer(() => closeServer(server));
      const port = await listenOn(server, driver.host);
      return { address: { host: driver.host, port }, tries: () => tries };
    },
    /** Until bytes pass: what comes after is judged. */
    async begin() {
      await exporter.apply(exported);
      await importer.apply(imported);
      await waitFor('the exporter is reachable', () => importer.reachable(exporter.name), TRAFFIC_WAIT_MS);
      // The last ones that it was told of: data planes learn of exports and imports one by one.
      for (const name of ['echo', 'gone', 'private']) {
        const address = await importer.importAddress(`store/${name}`);
        await waitFor(`bytes to ${name}`, () => echoOnce(address, 'first').then(() => true), TRAFFIC_WAIT_MS);
      }
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function closeServer(server: Server): Promise<void> {
  await new Promise((resolve) => server.close(resolve));
}

function exporterObjects({ driver, services, importer }: Pick<Parts, 'driver' | 'services' | 'importer'>): SideObjects {
  // Without gateways: they call, and are not called.
  const callers: PeerObject[] = [importer.name, ASKER, OTHER].map((name) => ({ name, gateways: [] }));
  return {
    peers: callers,
    exports: NAMES.map((name) => ({
      namespace: 'shop',
      name,
      target: { host: driver.host, port: services.ports[SERVICE_OF[name]] },
    })),
    imports: [],
    policies: [
      makePolicy('allow', 'shop', { name: 'allow-all' }),
      makePolicy('deny', 'shop', { name: 'deny-denied', to: [named('denied')] }),
      makePolicy('deny', undefined, {
        name: 'private-from-asker',
        from: [{ matchLabels: { 'peer.clusterlink.net/name': ASKER } }],
        to: [named('private')],
      }),
    ],
  };
}

function importerObjects(exporter: Side): SideObjects {
  return {
    peers: [{ name: exporter.name, gateways: [exporter.gateway] }],
    exports: [],
    imports: NAMES.map((name, index): InteropImport => ({
      namespace: 'store',
      name,
      port: FIRST_PORT + index,
      sources: [{ peer: exporter.name, exportName: name, exportNamespace: 'shop' }],
    })),
    policies: [
      makePolicy('allow', 'store', { name: 'allow-all' }),
      makePolicy('deny', 'store', { name: 'deny-unwanted', to: [named('unwanted')] }),
    ],
  };
}

function named(name: ExportName): { readonly matchLabels: Readonly<Record<string, string>> } {
  return { matchLabels: { [EXPORT_NAME]: name } };
}
