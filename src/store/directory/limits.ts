/** Bounds of reading one manifest, beside those of ../limits.ts. */

/** Values of one document, those behind aliases counted each time: ten times what the largest policy needs. */
export const MANIFEST_VALUES_MAX = 100_000;
/** Syntax problems told of one document: the first is the one that counts. */
export const SYNTAX_PROBLEMS_MAX = 3;
/** Items of one `kind: List`, as many as a file has documents. */
export const LIST_ITEMS_MAX = 1_000;
/** Keys that stand twice in one document: beyond it the document is not read at all. */
export const DUPLICATE_KEYS_MAX = 20;
