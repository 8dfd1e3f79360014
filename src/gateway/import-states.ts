/** How imports stand: their listeners follow what can be used now, and each change of that is told once. */
import type { Socket } from 'node:net';
import type { ImportBindingStatusListener } from '../api/generated/ImportBinding.ts';
import { formatKey } from '../api/object.ts';
import type { Home } from './home.ts';
import { makeListeners, type Arrival, type PlaceClaims } from './listeners.ts';
import type { ImportObservation, ImportRoute, RouteSource } from './messages.ts';
import { usabilityOf, type Usability } from './source-choice.ts';
import { listenersOf } from './wanted-listeners.ts';

export interface ImportStatesOptions {
  readonly self: string;
  readonly home: Home;
  /** Peers with an open session. */
  readonly reachable: () => ReadonlySet<string>;
  onClient(arrival: Arrival, socket: Socket): void;
  onChange(observation: ImportObservation): void;
  readonly places?: PlaceClaims | undefined;
}

export interface ImportStates {
  /** These are the imports now. */
  apply(imports: ReadonlyMap<string, ImportRoute>): void;
  /** Other peers can be reached than before. */
  refresh(): void;
  /** Closes the listeners; connections that are open stay. */
  close(): Promise<void>;
}

export function makeImportStates(options: ImportStatesOptions): ImportStates {
  const { self, home, reachable, onClient, onChange, places } = options;
  let imports: ReadonlyMap<string, ImportRoute> = new Map();
  /** By `namespace/name`, as the two below: of the imports that there are, and of no others. */
  const listenerStates = new Map<string, readonly ImportBindingStatusListener[]>();
  const told = new Map<string, string>();
  const listeners = makeListeners({
    places,
    onClient,
    onState(object, states) {
      const route = imports.get(object);
      if (route === undefined) return;
      listenerStates.set(object, states);
      observe(route);
    },
  });

  const usability = (source: RouteSource): Usability => usabilityOf({ self, source, reachable: reachable() });

  function refresh(): void {
    const wanted = [...imports.values()].flatMap((route) => listenersOf(route, home));
    listeners.apply(wanted, ({ object, port }) => {
      const sources = imports.get(object)?.sources ?? [];
      return sources.some((source) => source.ports.includes(port) && usability(source).usable);
    });
    for (const route of imports.values()) observe(route);
  }

  function observe(route: ImportRoute): void {
    const object = formatKey(route.key);
    const sources = route.sources.map((source) => {
      const { peer, namespace, name } = source;
      return { peer, namespace, name, ...usability(source) };
    });
    const observation = { key: route.key, listeners: listenerStates.get(object) ?? [], sources };
    const text = JSON.stringify(observation);
    if (told.get(object) === text) return;
    told.set(object, text);
    onChange(observation);
  }

  return {
    apply(next) {
      imports = next;
      for (const object of listenerStates.keys()) if (!next.has(object)) listenerStates.delete(object);
      for (const object of told.keys()) if (!next.has(object)) told.delete(object);
      refresh();
    },
    refresh,
    close: () => listeners.close(),
  };
}
