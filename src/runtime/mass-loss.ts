/** A source that is emptied by mistake must not take everything down: what goes in a mass is held for a while (DESIGN §6). Pure. */
import { LOSS_UNHELD_MAX } from './limits.ts';

/**
 * The one rule for folders of manifests and for what peers say: everything, if there was more than one; or more than half and more
 * than a few. Whoever has one thing and takes it away means it.
 *
 * @param missing - how many go, of `present` that there were.
 */
export function isMassLoss(missing: number, present: number): boolean {
  return (missing === present && present > 1) || (missing > LOSS_UNHELD_MAX && 2 * missing > present);
}
