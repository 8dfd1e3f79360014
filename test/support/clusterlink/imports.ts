/** The Imports of an emulated peer: a listener for each, kept while it changes. */
import type { Admission, Asked } from './egress.ts';
import { startImport, type ImportListener, type ImportOptions } from './import-listener.ts';
import { makeBalancer, type Balancer } from './schemes.ts';
import { keyOf, type ImportObject } from './types.ts';

export interface ImportsOptions extends Omit<ImportOptions, 'object' | 'authorize'> {
  readonly random: () => number;
  authorize(asked: Omit<Asked, 'client'>, clientAddress: string): Promise<Admission | undefined>;
}

export interface Imports {
  set(objects: readonly ImportObject[]): Promise<void>;
  port(key: string): number | undefined;
  close(): void;
}

interface Listening extends ImportListener {
  object: ImportObject;
}

export function makeImports({ random, authorize, ...shared }: ImportsOptions): Imports {
  const listening = new Map<string, Listening>();
  const balancers = new Map<string, Balancer>();

  async function open(key: string, object: ImportObject): Promise<void> {
    const balancer = balancers.get(key) ?? makeBalancer(random);
    balancers.set(key, balancer);
    const current = (): ImportObject => listening.get(key)?.object ?? object;
    const decide: ImportOptions['authorize'] = (asked, address, signal) =>
      authorize({ object: asked, balancer, signal }, address);
    const listener = await startImport({ ...shared, object: current, authorize: decide }, object.targetPort ?? 0);
    listening.set(key, { ...listener, object });
  }

  return {
    async set(objects) {
      const wanted = new Map(objects.map((object) => [keyOf(object), object]));
      for (const [key, present] of [...listening]) {
        const object = wanted.get(key);
        if (object !== undefined && (object.targetPort ?? present.port) === present.port) {
          present.object = object;
        } else {
          listening.delete(key);
          present.close();
        }
      }
      for (const [key, object] of wanted) if (!listening.has(key)) await open(key, object);
    },
    port: (key) => listening.get(key)?.port,
    close: () => listening.forEach((listener) => listener.close()),
  };
}
