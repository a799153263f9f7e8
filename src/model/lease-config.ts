/**
 * The lease of a group as people write it, and the terms that the controller and every guard must have in common: who
 * counts by other ones proves something else.
 */
import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import Type, { type Static } from 'typebox';
import { described, requiredSpan, spanWithoutDefault } from './forms.ts';
import type { DeadManKind, Isolation, LeaseTimings } from './lease.ts';
import { durationMs } from './primitives.ts';
import { PROFILES, type ProfileName } from './timings.ts';

export const CustomTimings = Type.Object(
  {
    renew: requiredSpan('r: between the sends of two renewals'),
    attemptTimeout: requiredSpan('q: after this an attempt without an answer has failed; less than renew'),
    electionGap: requiredSpan('E: how long the store may be away while it chooses another leader'),
    demoteAfter: requiredSpan('G: demotion starts this long after the send of the last good renewal'),
    stopWithin: requiredSpan('K: from then until no backend can commit, proven; measure it'),
    deadManAfter: requiredSpan('H: what the dead-man gives its guard after the send of the last good renewal'),
    lease: requiredSpan('L: how long a renewal is good for'),
    wait: requiredSpan('W: how long a candidate waits on a lease that does not change'),
  },
  described('Timings of one’s own: all of them, by the rules in docs/timings.md'),
);

export const LeaseConfig = Type.Object(
  {
    timings: Type.Optional(
      Type.Union([Type.Literal('strict'), Type.Literal('patient'), CustomTimings], {
        default: 'patient',
        description:
          'strict: an isolated primary writes for 25s at most; patient: it outlives two minutes of isolation, within a hold of 5m. Or a mapping of each',
      }),
    ),
    deadMan: Type.Enum(['relative', 'absolute', 'none'], {
      description:
        'What every guard of the group runs under. relative: a kernel timer; absolute: a process apart from guard and PostgreSQL; none: then the end of a lease proves nothing',
    }),
    isolation: Type.Optional(
      Type.Enum(['stop', 'serve'], {
        default: 'serve',
        description:
          'What a primary does that can reach neither the store nor its peers. stop: it stops, so that the end of its lease proves that it has; serve: it goes on',
      }),
    ),
    onCrash: Type.Optional(
      Type.Enum(['restart', 'release'], {
        default: 'restart',
        description:
          'When PostgreSQL dies and its guard lives. restart: in place first; release: the lease is given up at once',
      }),
    ),
    crashRestarts: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 100,
        default: 3,
        description: 'Restarts in a row that may fail before the lease is given up, with onCrash: restart',
      }),
    ),
    partitionExposure: spanWithoutDefault(
      'Consent: for how long at most an unfenced primary may still take writes that nobody else has; without it the end of a lease is no proof',
    ),
  },
  described('The lease by which a guard lets PostgreSQL be writable'),
);
export type LeaseConfig = Static<typeof LeaseConfig>;

export type OnCrash = 'restart' | 'release';

/** What the controller and the guards must have in common. */
export type LeaseTerms = {
  readonly timings: LeaseTimings;
  readonly deadMan: DeadManKind;
  readonly isolation: Isolation;
  readonly onCrash: OnCrash;
  readonly crashRestarts: number;
};

export const profileOf = ({ timings = 'patient' }: LeaseConfig): ProfileName | 'custom' =>
  typeof timings === 'string' ? timings : 'custom';

/** Terms of a lease whose shape was checked; throws a RangeError on a span that was not. */
export function termsOf(lease: LeaseConfig): LeaseTerms {
  return {
    timings: timingsOf(lease),
    deadMan: lease.deadMan,
    isolation: lease.isolation ?? 'serve',
    onCrash: lease.onCrash ?? 'restart',
    crashRestarts: lease.crashRestarts ?? 3,
  };
}

function timingsOf({ timings = 'patient' }: LeaseConfig): LeaseTimings {
  if (typeof timings === 'string') return PROFILES[timings];
  return {
    renewMs: durationMs(timings.renew),
    attemptMs: durationMs(timings.attemptTimeout),
    electionGapMs: durationMs(timings.electionGap),
    demoteAfterMs: durationMs(timings.demoteAfter),
    stopWithinMs: durationMs(timings.stopWithin),
    deadManAfterMs: durationMs(timings.deadManAfter),
    leaseMs: durationMs(timings.lease),
    waitMs: durationMs(timings.wait),
  };
}

/** SHA-256 of the terms, which a lease record carries (`timingsHash`): a guard with other ones is refused. */
export const timingsHash = (terms: LeaseTerms): string =>
  createHash('sha256')
    .update(canonicalize(terms) ?? '')
    .digest('hex');
