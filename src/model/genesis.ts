/**
 * What the first entry of a journal follows. A file of its own, without the schemas: the thread that owns the journal
 * checks hashes and needs no more of the model than this.
 */
export const GENESIS_HASH = '0'.repeat(64);
