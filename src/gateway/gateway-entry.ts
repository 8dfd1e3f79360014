/** What one replica says of an import in `ImportBinding.status.gateways`: pure. The controller makes endpoints of it. */
import type { ImportBindingStatusGateway } from '../api/generated/ImportBinding.ts';
import type { ImportObservation } from './messages.ts';

/** A target port counts as listening when it is open at every address of the pod: endpoints of all families name it. */
export function gatewayEntry(pod: string, { listeners, sources }: ImportObservation): ImportBindingStatusGateway {
  const states = Map.groupBy(listeners, ({ listenPort = 0 }) => listenPort);
  const ports = [...states.keys()].sort((a, b) => a - b);
  const failed = ports.flatMap((targetPort) => {
    const message = states.get(targetPort)?.find(({ state }) => state === 'Failed')?.message;
    return message === undefined ? [] : [{ targetPort, message }];
  });
  return {
    name: pod,
    listening: ports.filter((port) => states.get(port)?.every(({ state }) => state === 'Listening')),
    ...(failed.length === 0 ? {} : { failed }),
    sources: sources.map(({ peer, namespace, name, usable, reason }) => ({
      peer,
      namespace,
      name,
      usable,
      ...(reason === undefined ? {} : { reason }),
    })),
  };
}
