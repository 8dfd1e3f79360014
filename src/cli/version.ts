/** The version of this product: that of its package. */
import manifest from '../../package.json' with { type: 'json' };

export const { version } = manifest;
