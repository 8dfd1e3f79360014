/** Which target ports imports have, from everything that says so, and which rest: kept from run to run of one process. */
import { ANNOTATIONS } from '../../api/names.ts';
import type { IImportBinding } from '../../api/generated/ImportBinding.ts';
import type { IService } from '../../api/generated/Service.ts';
import { formatKey } from '../../api/object.ts';
import type { MergedImport } from '../../merge/types.ts';
import { portId } from '../import/home.ts';
import { TARGET_PORT_REST_MS } from '../limits.ts';
import { targetPortsOf } from './desired.ts';
import { addRestingPorts, isResting, parseRestingPorts } from './resting-ports.ts';
import { assignTargetPorts, firstCursor, type TargetPorts } from './target-ports.ts';

export interface PortMemory {
  /** Target ports for all imports there are; by `namespace/name`. */
  assign(input: AssignInput): ReadonlyMap<string, GivenPorts>;
}

export interface AssignInput {
  readonly imports: readonly MergedImport[];
  readonly bindings: readonly IImportBinding[];
  /** Derived Services by `namespace/name` of their import, retired ones too. */
  readonly services: ReadonlyMap<string, IService>;
  readonly nowMs: number;
  /** The same as RFC 3339. */
  readonly now: string;
}

export interface GivenPorts {
  readonly ports: TargetPorts;
  /** For the derived Service: what it says of the target ports that its import gave up. */
  readonly restingPorts: string | undefined;
}

export function makePortMemory(): PortMemory {
  /**
   * What was given by this process. It goes before what caches say, which see a write later than it is done: the next run
   * must not give the same port to another import.
   */
  let given: ReadonlyMap<string, GivenPorts> = new Map();
  /** Target port → when somebody had it last. */
  const lastHeldMs = new Map<number, number>();
  let cursor: number | undefined;

  function note(ports: Iterable<number>, nowMs: number): void {
    for (const port of ports) lastHeldMs.set(port, nowMs);
  }

  return {
    assign({ imports, bindings, services, nowMs, now }) {
      const held = [
        ...[...given].map(([key, { ports }]) => ({ key, ports })),
        ...bindings
          .map(({ spec }) => ({ key: formatKey(spec.import), spec }))
          .filter(({ key }) => !given.has(key))
          .map(({ key, spec }) => ({ key, ports: portsOfBinding(spec) })),
        ...[...services]
          .filter(([key]) => !given.has(key))
          .map(([key, service]) => ({ key, ports: targetPortsOf(service) })),
      ];
      for (const [port, ms] of lastHeldMs) if (nowMs - ms >= TARGET_PORT_REST_MS) lastHeldMs.delete(port);
      for (const { ports } of held) note(ports.values(), nowMs);
      const resting = new Set([...lastHeldMs.keys(), ...restingOf(services.values(), nowMs)]);
      const next = assignTargetPorts({
        held,
        resting,
        wanted: imports.map(({ key, ports }) => ({ key: formatKey(key), ports: ports.map(portId) })),
        cursor: cursor ?? firstCursor(resting),
      });
      cursor = next.cursor;
      given = new Map(
        [...next.assigned].map(([key, ports]) => {
          const before = given.get(key) ?? ofService(services.get(key));
          const used = new Set(ports.values());
          const freed = [...(before?.ports.values() ?? [])].filter((port) => !used.has(port));
          note(used, nowMs);
          return [key, { ports, restingPorts: addRestingPorts(before?.restingPorts, { freed, now }) }];
        }),
      );
      return given;
    },
  };
}

function portsOfBinding({ ports }: IImportBinding['spec']): TargetPorts {
  return new Map(
    ports.flatMap(({ protocol, port, targetPort }) =>
      targetPort === undefined ? [] : [[portId({ protocol, port }), targetPort] as const],
    ),
  );
}

function ofService(service: IService | undefined): GivenPorts | undefined {
  if (service === undefined) return undefined;
  return { ports: targetPortsOf(service), restingPorts: service.metadata?.annotations?.[ANNOTATIONS.restingPorts] };
}

function* restingOf(services: Iterable<IService>, nowMs: number): Generator<number> {
  for (const { metadata } of services) {
    for (const { targetPort, since } of parseRestingPorts(metadata?.annotations?.[ANNOTATIONS.restingPorts])) {
      if (isResting(since, nowMs)) yield targetPort;
    }
  }
}
