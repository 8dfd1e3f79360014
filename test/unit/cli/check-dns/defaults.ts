import { parseConfig } from '#src/runtime/config.ts';

const REQUIRED = { peer: 'east', 'fabric.ca': 'ca.pem', 'fabric.cert': 'cert.pem', 'fabric.key': 'key.pem' };

/** `dns.*` of a peer that says nothing of them. */
export const DEFAULTS = parseConfig({ env: {}, flags: REQUIRED, cwd: '/srv', state: 'state' }).dns;
