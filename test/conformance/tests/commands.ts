/** The commands that run in the request pod, and what is read from them. Pure. */

const IPV6 = 'IPv6';

export const lookUpCommand = (name: string, type: string): string[] => ['nslookup', `-type=${type}`, name];

export const addressTypeOf = (family: string): 'A' | 'AAAA' => (family === IPV6 ? 'AAAA' : 'A');

/**
 * One connection by name. The IPv4 name has no dot at its end, so the pod's search list is gone through first, as by any program.
 * nc has no way to ask for AAAA alone, so the address is looked up before.
 */
export function callCommand(name: string, { family, port }: { family: string; port: number }): string[] {
  const call = (options: string, host: string) => `echo hi | nc -v -w 2 ${options} ${host} ${port}`;
  if (family !== IPV6) return ['sh', '-c', call('-4', name)];
  const lookUp = `nslookup -type=AAAA ${name}. | sed -n 's/^Address:[[:space:]]*//p' | tail -n 1`;
  return ['sh', '-c', `address=$(${lookUp}); ${call('-6', '"$address"')}`];
}

/** What the backends said: each answers with the first address of its pod. */
export const podIpsIn = (output: string): string[] =>
  [...output.matchAll(/pod ip (\S*)/g)].map(([, address = '']) => address);
