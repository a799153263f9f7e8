/** A platform of many groups, as settings and as what is seen of it, for the benches of the core. */
import { initialState, turn } from '../src/engine/core.ts';
import type { Config } from '../src/model/config.ts';
import type { Observation } from '../src/model/evidence.ts';
import type { State } from '../src/model/loop.ts';
import { settingsOf } from '../src/model/settings.ts';

export const COMPONENTS = 10;
const REGIONS = ['a', 'b'] as const;
const VANTAGES = ['daemon', 'witness-a', 'witness-c'] as const;
const START_MS = 1_800_000_000_000;

export const groupName = (index: number): string => `group-${String(index).padStart(5, '0')}`;

/** One PostgreSQL, eight services and a public name in each group; an alert that speaks of each. */
export function configOf(groups: number): Config {
  const each = <T>(names: readonly string[], value: (name: string) => T): Record<string, T> =>
    Object.fromEntries(names.map((name) => [name, value(name)]));
  const services = Array.from({ length: COMPONENTS - 2 }, (_, index) => `service-${index}`);
  const names = Array.from({ length: groups }, (_, index) => groupName(index));
  return {
    version: 1,
    daemon: { stateDir: 'state' },
    regions: { a: { role: 'primary' }, b: { role: 'secondary' }, c: { role: 'witness' } },
    vantages: {
      daemon: { region: 'b', controlTargets: ['tcp://192.0.2.1:53'] },
      'witness-a': { region: 'a', controlTargets: ['tcp://192.0.2.1:53'], publicKey: 'a' },
      'witness-c': { region: 'c', controlTargets: ['tcp://192.0.2.1:53'], publicKey: 'c' },
    },
    alertmanager: {
      region: 'b',
      bearer: 'none',
      facts: names.map((group) => ({ group, fact: 'region-unreachable', region: 'a', match: [`group="${group}"`] })),
    },
    groups: each(names, () => ({
      primary: 'a',
      secondary: 'b',
      autonomy: 'gated',
      components: {
        db: {
          kind: 'postgres',
          tier: 1,
          database: 'app',
          user: 'failoverd',
          instances: each(REGIONS, (region) => `${region}.example.com:5432`),
        },
        ...each(services, () => ({
          kind: 'http',
          tier: 1,
          instances: each(REGIONS, (region) => `https://${region}.example.com/health`),
        })),
      },
    })),
  } as Config;
}

/** What every vantage sees of one group when all is well, or when region a is gone. */
export function sightsOf(group: string, at: number, isGone = false): Observation[] {
  return VANTAGES.flatMap((vantage) =>
    REGIONS.flatMap((region) => {
      const bad = isGone && region === 'a';
      const seen = {
        group,
        region,
        vantage,
        at,
        durationMs: 3,
        verdict: bad ? 'bad' : 'ok',
        reached: bad ? 'none' : 'read',
        code: bad ? 'timeout' : null,
        message: null,
      } as const;
      const facts = {
        systemIdentifier: '7000000000000000001',
        timeline: 1,
        inRecovery: region === 'b',
        insertLsn: region === 'a' ? '0/5000000' : null,
        flushLsn: region === 'a' ? '0/5000000' : null,
        receiveLsn: region === 'b' ? '0/5000000' : null,
        replayLsn: region === 'b' ? '0/5000000' : null,
        walReceiver: region === 'b' ? 'streaming' : 'none',
        lastMessageAgeMs: region === 'b' ? 100 : null,
        lastReplayedCommitAt: region === 'b' ? at : null,
        replayPaused: region === 'b' ? false : null,
        clockAt: at,
        canary: 'skipped',
      } as const;
      const services = Array.from(
        { length: COMPONENTS - 2 },
        (_, index): Observation => ({
          ...seen,
          kind: 'http',
          component: `service-${index}`,
          facts: { status: bad ? null : 200 },
        }),
      );
      return [{ ...seen, kind: 'postgres', component: 'db', facts: bad ? null : facts } as Observation, ...services];
    }),
  );
}

export const controlsAt = (at: number): Observation[] =>
  VANTAGES.map((vantage) => ({
    kind: 'control',
    target: 'tcp://192.0.2.1:53',
    vantage,
    at,
    durationMs: 1,
    verdict: 'ok',
    reached: 'connect',
    code: null,
    message: null,
  }));

/** A daemon that has watched all groups for a while; everything is well and fresh at `state.mono`. */
export function watchedState(groups: number): State {
  const first = { at: START_MS, mono: 1_000 };
  let { state } = turn(initialState(settingsOf(configOf(groups))), {
    kind: 'started',
    ...first,
    incarnation: 'bench',
    version: '0',
    configHash: '',
  });
  const all = Array.from({ length: groups }, (_, index) => sightsOf(groupName(index), START_MS)).flat();
  for (const observations of [controlsAt(START_MS), all])
    state = turn(state, { kind: 'observed', ...first, observations }).state;
  return state;
}
