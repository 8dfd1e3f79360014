/** What ClusterLink's Imports say against each other, and against ServiceImports: the controller says the same. Pure. */
import { API_SERVER } from '../api/names.ts';
import { describeObject, formatKey, keyOf } from '../api/object.ts';
import type { Problem } from '../store/directory/manifest.ts';
import { warningAt, type Found } from './check-found.ts';

export function checkImports(
  imports: readonly Found<'Import'>[],
  serviceImports: readonly Found<'ServiceImport'>[],
): Problem[] {
  return [...checkTargetPorts(imports), ...checkNames(imports, serviceImports)];
}

/** A target port is a claim that one Import can have. */
function checkTargetPorts(imports: readonly Found<'Import'>[]): Problem[] {
  const holders = new Map<number, Found<'Import'>>();
  return imports.flatMap((found) => {
    const { targetPort = 0 } = found.object.spec;
    const holder = holders.get(targetPort);
    if (targetPort === 0) return [];
    if (holder === undefined) {
      holders.set(targetPort, found);
      return [];
    }
    const message = `is ${targetPort}, which ${describeObject(holder.object)} has: one of the two will be refused`;
    return [
      warningAt(found.at, { field: 'spec.targetPort', message, fix: 'Choose another number, or delete the field.' }),
    ];
  });
}

function checkNames(imports: readonly Found<'Import'>[], serviceImports: readonly Found<'ServiceImport'>[]): Problem[] {
  const taken = new Set(serviceImports.map(({ object }) => formatKey(keyOf(object))));
  return imports.flatMap(({ object, at }) => {
    const name = formatKey(keyOf(object));
    if (name === API_SERVER) {
      const message = `will be refused: Service ${name} is the way to the API server`;
      return [warningAt(at, { field: 'metadata.name', message, fix: 'Use another name.' })];
    }
    if (!taken.has(name)) return [];
    const message = `will be refused: ServiceImport ${name} has the name`;
    return [warningAt(at, { field: 'metadata.name', message, fix: 'Delete one of the two, or rename this one.' })];
  });
}
