import { REGION } from '../config.ts';
import { type GuardInput, type GuardNode, untilGuard, writeGuardConfig } from '../servers/guard.ts';
import { type Address, type Network, textOfAddress } from './network.ts';
import type { Regions } from './regions.ts';

/** A guard beside each PostgreSQL, and failoverd with the lease store in the third region. */
export interface GuardedLab {
  /** What the run fences by; `guard` by default. */
  readonly fence?: 'guard' | 'command';
  readonly isolation?: 'stop' | 'serve';
  readonly onCrash?: 'restart' | 'release';
  readonly deadMan?: 'absolute' | 'none';
  readonly timings?: LabTimings;
}

export type LabTimings = Readonly<Record<keyof typeof TIMINGS, string>>;

/** By the rules of `check`, and short: a scenario waits for W. A machine under load keeps an attempt waiting. */
export const TIMINGS = {
  renew: '1s',
  attemptTimeout: '700ms',
  electionGap: '1s',
  demoteAfter: '4200ms',
  stopWithin: '3s',
  deadManAfter: '7500ms',
  lease: '8s',
  wait: '11s',
} as const;

/** Longer than W after the store's start, which every acquisition waits for. */
const FIRST_PRIMARY_MS = 60_000;

export const leaseOf = ({
  isolation = 'stop',
  onCrash = 'restart',
  deadMan = 'absolute',
  timings = TIMINGS,
}: GuardedLab) => ({
  timings,
  deadMan,
  isolation,
  onCrash,
  partitionExposure: timings.deadManAfter,
});

export type GuardSecrets = { readonly a: string; readonly b: string; readonly replicator: string };

/** Files of both, and both started: the primary is open, and the other one follows it. */
export async function startGuards(
  { guards, hypervisor }: Regions,
  given: {
    readonly lab: GuardedLab;
    readonly network: Network;
    readonly store: Address;
    /** Paths of the files that hold them. */
    readonly secrets: GuardSecrets;
  },
): Promise<void> {
  if (guards === undefined) return;
  const { network, store, secrets, lab } = given;
  const url = async (way: `${string}->${string}`, at: Address): Promise<string> =>
    `http://${textOfAddress(await network.over(way, at))}`;
  const input = async (side: 'a' | 'b'): Promise<GuardInput> => {
    const other = side === 'a' ? 'b' : 'a';
    const [here, there] = side === 'a' ? (['A', 'B'] as const) : (['B', 'A'] as const);
    const peer: GuardNode = guards[other];
    return {
      group: 'platform',
      component: 'postgres',
      region: REGION[side],
      role: side === 'a' ? 'primary' : 'standby',
      store: await url(`${here}->W`, store),
      peers: {
        [REGION[other]]: {
          url: await url(`${here}->${there}`, peer),
          tokenFile: secrets[other],
          postgres: textOfAddress(await network.over(`${here}->${there}`, peer.postgres)),
        },
      },
      tokenFile: secrets[side],
      replicatorFile: secrets.replicator,
      lease: leaseOf(lab),
    };
  };
  await writeGuardConfig(guards.a, await input('a'));
  await writeGuardConfig(guards.b, await input('b'));
  await Promise.all([hypervisor.act(REGION.a, 'start', 'postgres'), hypervisor.act(REGION.b, 'start', 'postgres')]);
  await untilGuard(
    guards.a,
    'is an open primary',
    FIRST_PRIMARY_MS,
    ({ part, postgres }) => part === 'primary' && postgres.open,
  );
  await untilGuard(
    guards.b,
    'follows',
    FIRST_PRIMARY_MS,
    ({ part, postgres }) => part === 'standby' && postgres.state === 'standby',
  );
}
