/** Keeps the metric of the certificate's expiry current. */
import type { Metrics } from '../../runtime/metrics.ts';

const EXPIRY_INTERVAL_MS = 60_000;

/** The result stops it. */
export function followExpiry({ notAfter }: { readonly notAfter: Date }, metrics: Metrics): () => void {
  const tell = (): void => metrics.certificateExpirySeconds.set((notAfter.getTime() - Date.now()) / 1000);
  tell();
  const timer = setInterval(tell, EXPIRY_INTERVAL_MS);
  return () => clearInterval(timer);
}
