/**
 * Conditions that people are told of once when they begin and once when they are over, over restarts: written down, so
 * that nobody is paged again for what has been going on.
 */
import Type, { type Static } from 'typebox';
import { WallMs } from './primitives.ts';

/**
 * `watchdog-silent`: the watchdog of a region, the subject, is silent while the region is well. `foreign-database`: a
 * PostgreSQL component answers as another cluster than the pinned one.
 */
export const NoticeKind = Type.Enum(['watchdog-silent', 'foreign-database']);
export type NoticeKind = 'watchdog-silent' | 'foreign-database';

export const Notice = Type.Object({ notice: NoticeKind, subject: Type.String(), at: WallMs, why: Type.String() });
export type Notice = Static<typeof Notice>;

export const noticeKey = (notice: NoticeKind, subject: string): string => `${notice}/${subject}`;
