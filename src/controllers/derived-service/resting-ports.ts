/** Target ports that a living import gave up: its derived Service says which and when, so that they rest also after a restart. */
import { RESTING_PORTS_MAX, TARGET_PORT_REST_MS } from '../limits.ts';
import { isTargetPort } from './target-ports.ts';

export interface RestingPort {
  readonly targetPort: number;
  /** RFC 3339, second precision. */
  readonly since: string;
}

/** `20017@2026-11-20T12:00:00Z,...`; what cannot be read is left out. */
export function parseRestingPorts(text: string | undefined): RestingPort[] {
  return (text ?? '').split(',').flatMap((item) => {
    const [port = '', since = ''] = item.split('@');
    return isTargetPort(Number(port)) && !Number.isNaN(Date.parse(since)) ? [{ targetPort: Number(port), since }] : [];
  });
}

/** The text with the ports given up now; those that have rested leave with the next change, not by a write of their own. */
export function addRestingPorts(
  text: string | undefined,
  { freed, now }: { readonly freed: readonly number[]; readonly now: string },
): string | undefined {
  if (freed.length === 0) return text;
  const earlier = parseRestingPorts(text).filter(
    ({ targetPort, since }) => isResting(since, Date.parse(now)) && !freed.includes(targetPort),
  );
  const all = [...earlier, ...freed.map((targetPort) => ({ targetPort, since: now }))];
  return all
    .slice(-RESTING_PORTS_MAX)
    .map(({ targetPort, since }) => `${targetPort}@${since}`)
    .join(',');
}

export function isResting(since: string, nowMs: number): boolean {
  return nowMs - Date.parse(since) < TARGET_PORT_REST_MS;
}
