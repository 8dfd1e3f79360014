/** Bounds of what rules can make of records; what is beyond is skipped with reason `LimitReached`. */

/** Imports of this peer, as many as one peer may have records. Those in use come first, then by (namespace, name). */
export const IMPORTS_MAX = 10_000;
/**
 * Imports of one namespace that its own people asked for, by ImportRules or ServiceImports of theirs: each takes an address of the
 * cluster and ports of every gateway, which no quota of theirs counts. Chosen like the above.
 */
export const IMPORTS_PER_NAMESPACE_MAX = 1_000;
/** Ports of all these imports together: a fifth of the target ports that gateways have. */
export const PORTS_PER_NAMESPACE_MAX = 2_000;
/** ImportRules of one namespace, the first by precedence: each is compared with every export there is. */
export const RULES_PER_NAMESPACE_MAX = 64;
/** Exports that back one import, and, apart from them, exports that lost it by their type. First by precedence. */
export const SOURCES_PER_IMPORT_MAX = 64;
/** Ports of one import: what one record may have, so that an import of one export is never cut. First by precedence. */
export const PORTS_PER_IMPORT_MAX = 64;
/** Skipped exports that the status of a rule lists: objects stay far below the 1.5 MiB that an API server takes. */
export const SKIPPED_LISTED_MAX = 100;
/** Imported exports that the status of a rule lists, for the same reason. */
export const IMPORTED_LISTED_MAX = 1_000;
/** Names that the message of `Collision`, or the dropped ports that a verdict, lists. */
export const MESSAGE_ITEMS_MAX = 5;
