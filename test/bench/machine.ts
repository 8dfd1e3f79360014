/** What a result has to say of the machine that it was made on. */
import { cpus, release } from 'node:os';

export function describeMachine(): Readonly<Record<'node' | 'kernel' | 'cpu', string>> {
  const [first] = cpus();
  return {
    node: process.versions.node,
    kernel: release(),
    cpu: `${cpus().length} x ${first?.model.trim() ?? 'unknown'}`,
  };
}
