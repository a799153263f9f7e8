/** Identifiers drawn by chance. The core never draws: they come in as inputs. */
import { randomBytes } from 'node:crypto';

const hex = (bytes: number): string => randomBytes(bytes).toString('hex');

/** Names one life of this process: 16 hex digits. No two starts share one (safety.md, embedded store). */
export const newIncarnation = (): string => hex(8);

/** Names one HTTP request, to tie its log lines and its reply together: 16 hex digits. */
export const newRequestId = (): string => hex(8);

/** Names one session of a person or a witness; can't be guessed: 32 hex digits. */
export const newSessionId = (): string => hex(16);

/** Good for one use; can't be guessed: 32 hex digits. */
export const newNonce = (): string => hex(16);
