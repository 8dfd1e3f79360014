/** Where the services of a pair are. */
import { SERVICES, type Places } from './system.ts';

export const LOOPBACK = '127.0.0.1';

/** A place on loopback for each service, at ports that nobody has. */
export async function placesAt(freePort: () => Promise<number>): Promise<Places> {
  const [iperf3, echo] = [await freePort(), await freePort()];
  return { iperf3: { host: LOOPBACK, port: iperf3 }, echo: { host: LOOPBACK, port: echo } };
}

export function portsOf(places: Places): readonly number[] {
  return SERVICES.map((service) => places[service].port);
}
