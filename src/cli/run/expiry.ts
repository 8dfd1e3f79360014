/** Keeps metrics of certificates and revocation lists current: what they tell runs out by itself. */
import type { Metrics } from '../../runtime/metrics.ts';

const EXPIRY_INTERVAL_MS = 60_000;

export interface Expiry {
  /** At once: there is another certificate. */
  tell(): void;
  close(): void;
}

export function followExpiry(notAfter: () => Date, metrics: Metrics): Expiry {
  const tell = (): void => metrics.certificateExpirySeconds.set((notAfter().getTime() - Date.now()) / 1000);
  tell();
  const timer = setInterval(tell, EXPIRY_INTERVAL_MS);
  return { tell, close: () => clearInterval(timer) };
}
