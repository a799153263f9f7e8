/**
 * Wall time that is not set back while somebody counts on it. PURE but for its own memory.
 *
 * Budgets of steps, the RTO, a cooldown, the window of the loss account and the life of an approval are all counted from
 * instants in the journal. In a regional outage time servers die and come back too; a clock set back by an hour would
 * add an hour to each of them, and make the loss look smaller than it is (invariants 12, 19, 22, 29). A clock set
 * *forward* is believed: it may be a machine that stood still, and too much time passed is the safe error.
 */
import { byPart } from '../model/keyed.ts';
import type { GroupLedger, Ledger } from '../model/ledger.ts';
import type { GroupId, WallMs } from '../model/primitives.ts';
import type { Settings } from '../model/settings.ts';

/** While time is counted on, a clock that runs ahead of the wall falls back by this part of what passes. */
const FALL_BACK = 0.01;
/** A step of the wall clock against the monotonic one that is worth a word; smaller ones are everyday corrections. */
export const WORTH_TELLING_MS = 500;

export type ForwardTime = {
  /** The instant to stamp an input with, whole milliseconds, and by how much the wall clock was set since the last call. */
  read(wallMs: number, mono: number, countedOn: boolean): { readonly at: number; readonly setByMs: number };
};

/** `floorAt` is what the first instant is not before; null = the wall clock is believed. */
export function forwardTime(floorAt: WallMs | null = null): ForwardTime {
  let offsetMs: number | null = null;
  let wallOffsetMs = 0;
  let lastMono = 0;
  return {
    read(wallMs, mono, countedOn) {
      const nowOffsetMs = wallMs - mono;
      if (offsetMs === null && floorAt !== null && wallMs < floorAt) {
        offsetMs = floorAt - mono;
        wallOffsetMs = offsetMs;
      }
      const setByMs = offsetMs === null ? 0 : nowOffsetMs - wallOffsetMs;
      const fallBackMs = Math.max(0, mono - lastMono) * FALL_BACK;
      if (offsetMs === null || !countedOn || nowOffsetMs >= offsetMs) offsetMs = nowOffsetMs;
      else offsetMs = Math.max(nowOffsetMs, offsetMs - fallBackMs);
      wallOffsetMs = nowOffsetMs;
      lastMono = mono;
      return { at: Math.round(mono + offsetMs), setByMs: Math.abs(setByMs) >= WORTH_TELLING_MS ? setByMs : 0 };
    },
  };
}

/**
 * The newest instant in the journal, while a run is open: its budgets and its loss are counted from there, and the clock may
 * have been set back while nobody looked. A hold that was open alone is not helped by it: how long it was not seen is not
 * known then, and it begins anew.
 */
export const floorOf = ({ groups, lastAt }: Ledger): WallMs | null =>
  agesIn(groups).some(({ running }) => running) ? lastAt : null;

/**
 * Whether any group has something whose age decides what may happen: a hold, a proposal, a run, or, by a wall clock that
 * says `wallMs`, a cooldown that is not over yet.
 */
export function countedOn(ledger: Ledger, settings: Settings, wallMs: number): boolean {
  return agesIn(ledger.groups).some(
    ({ open, ended }) =>
      open || ended.some(({ group, endedAt }) => wallMs - endedAt < (settings.groups[group]?.cooldownMs ?? 0)),
  );
}

const agesIn = byPart<GroupLedger, Ages>((part) => ({
  running: [...part.values()].some(({ run }) => run !== null),
  open: [...part.values()].some(
    ({ run, proposal, holds }) => run !== null || proposal !== null || Object.keys(holds).length > 0,
  ),
  ended: [...part].flatMap(([group, { ended }]) => {
    const last = ended.at(-1);
    return last === undefined ? [] : [{ group, endedAt: last.endedAt }];
  }),
}));
type Ages = {
  readonly running: boolean;
  readonly open: boolean;
  /** When the last run of each group ended. */
  readonly ended: readonly { readonly group: GroupId; readonly endedAt: WallMs }[];
};
