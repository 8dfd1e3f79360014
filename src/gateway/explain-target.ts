/** What `explain` and `probe` are asked about: the name of an import, and its port. Pure. */
import type { ObjectKey } from '../api/object.ts';
import type { Hop } from './hops.ts';

export type Target =
  { readonly key: ObjectKey; readonly port: number } | { readonly failure: Hop & { readonly fix: string } };

/** @param target - `NAME.NAMESPACE.svc.ZONE:PORT`, or `NAMESPACE/NAME:PORT`. */
export function parseTarget(target: string, zones: readonly string[]): Target {
  const fail = (message: string, fix: string): Target => {
    return { failure: { hop: 'name', ok: false, subject: target, message, code: 'ERR_USAGE', fix } };
  };
  const [first = 'clusterset.local'] = zones;
  const form = `ask for NAME.NAMESPACE.svc.${first}:PORT, or NAMESPACE/NAME:PORT`;
  const [, name = '', digits = ''] = /^(.+):(\d{1,5})$/.exec(target.trim()) ?? [];
  const port = Number(digits);
  if (name === '') return fail('is not a name and a port', form);
  if (port < 1 || port > 65535) return fail('is not a port', form);
  const plain = name.toLowerCase().replace(/\.$/, '');
  const zone = zones.find((candidate) => plain.endsWith(`.svc.${candidate}`));
  const elsewhere = /\.svc\.(.+)$/.exec(plain);
  if (zone === undefined && elsewhere !== null) {
    const served = `this peer serves ${zones.join(', ')}`;
    return fail(`is in a zone that is not served here: ${served}`, `${form}; or add ${elsewhere[1]} to dns.zones`);
  }
  const parts = zone === undefined ? plain.split('/').reverse() : plain.slice(0, -`.svc.${zone}`.length).split('.');
  const [service = '', namespace = ''] = parts;
  if (parts.length !== 2 || service === '' || namespace === '') return fail('is not a name of an import', form);
  return { key: { namespace, name: service }, port };
}
