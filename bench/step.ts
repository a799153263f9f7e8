import { turn } from '../src/engine/core.ts';
import type { Input, State } from '../src/model/loop.ts';
import { controlsAt, groupName, sightsOf, watchedState } from './many-groups.ts';
import {
  against,
  type BenchOptions,
  type BenchResult,
  compare,
  interleaved,
  quantity,
  type Sample,
} from './measure.ts';

const SIZES = { few: 100, many: 1_000 } as const;
const LIMIT_TICK_MS = 50;
/** Neither the groups that nothing happens to nor their number may show; the rest is noise, and caches that are too small. */
const LIMIT_ALIKE = 1.5;
/** So much is done between two looks at the processor's clock, which some kernels advance only a few hundred times a second. */
const TICKS = 5;
const CHANGES = 500;
const EVIDENCE_OF_GROUPS = 2_000;
const MOST_ROUNDS = 7;

/**
 * The core over many groups of ten components: a look at all of them, and what one group's evidence costs among few and
 * among many. Processor time of this thread, so that what else the machine does counts for little.
 */
export async function stepOfManyGroups(options: BenchOptions): Promise<BenchResult> {
  const side = (name: keyof typeof SIZES) => {
    const watched = watchedState(SIZES[name]);
    return { name, measure: async () => measureOnce(watched, SIZES[name]) };
  };
  const rounds = Math.min(options.rounds, MOST_ROUNDS);
  const samples = await interleaved([side('many'), side('few')], { ...options, rounds });
  const of = (name: keyof typeof SIZES, what: string): number[] => quantity(samples, name, what);
  const both = (what: string) => [of('many', what), of('few', what)] as const;
  return {
    bench: 'step',
    says: `one turn of the core over ${SIZES.many} groups of ten components, and over ${SIZES.few}; processor time`,
    findings: [
      against(`a tick over ${SIZES.many} groups`, 'ms', of('many', 'tick'), LIMIT_TICK_MS),
      against(`a tick that loses a region of ${SIZES.many} groups`, 'ms', of('many', 'loss'), LIMIT_TICK_MS),
      compare(`a tick for each group, ${SIZES.many} against ${SIZES.few}`, 'µs', ...both('tick of each'), LIMIT_ALIKE),
      compare(`one group reports, ${SIZES.many} against ${SIZES.few}`, 'µs', ...both('change'), LIMIT_ALIKE),
      compare(`evidence of one group, ${SIZES.many} against ${SIZES.few}`, 'µs', ...both('evidence'), LIMIT_ALIKE),
      compare(
        `evidence of all groups at once, for each group, ${SIZES.many} against ${SIZES.few}`,
        'µs',
        ...both('evidence of each'),
        LIMIT_ALIKE,
      ),
    ],
    whyOver: WHY_OVER,
    notes: [],
  };
}

/** Milliseconds of this thread's processor time for one call. */
function cpuMs(times: number, call: (index: number) => void): number {
  const before = process.threadCpuUsage();
  for (let index = 0; index < times; index += 1) call(index);
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1_000 / times;
}

function measureOnce(watched: State, groups: number): Sample {
  const { at, mono } = watched;
  const observed = (ms: number, observations: ReturnType<typeof sightsOf>): Input => ({
    kind: 'observed',
    at: at + ms,
    mono: mono + ms,
    observations,
  });
  const names = Array.from({ length: groups }, (_, index) => groupName(index));
  const tick = cpuMs(TICKS, (index) =>
    turn(watched, { kind: 'tick', at: at + 1_000 + index, mono: mono + 1_000 + index }),
  );

  const evidence = names.map((name) => observed(500, sightsOf(name, at + 500)));
  const one = cpuMs(EVIDENCE_OF_GROUPS, (index) => turn(watched, evidence[index % groups] as Input));
  const allAtOnce = observed(
    500,
    names.flatMap((name) => sightsOf(name, at + 500)),
  );
  const all = cpuMs(TICKS, () => turn(watched, allAtOnce)) / groups;

  let state = watched;
  const change = cpuMs(CHANGES, (index) => {
    state = reportedOrCleared(state, names[index % groups] ?? '');
  });

  const gone = observed(
    500,
    names.flatMap((name) => sightsOf(name, at + 500, true)),
  );
  const doubted = turn(watched, gone).state;
  const loss = cpuMs(TICKS, () => turn(doubted, observed(600, controlsAt(at + 600))));
  return {
    tick,
    'tick of each': (tick * 1_000) / groups,
    evidence: one * 1_000,
    'evidence of each': all * 1_000,
    change: change * 1_000,
    loss,
  };
}

const WHY_OVER = [
  'A thousand groups that lose their region in one instant are ten thousand components to judge anew and a thousand entries to seal: some 0.14 ms for each group. It costs what changed, and the next tick is an ordinary one.',
];

/** Whichever is news of this group; its pages are delivered at once. */
function reportedOrCleared(state: State, group: string): State {
  const { at, mono } = state;
  const order = { at, mono, request: 'r', person: { id: 'ann', roles: ['sre' as const] }, group };
  const isKnown = state.ledger.groups[group]?.reports['deletion'] !== undefined;
  const said = turn(
    state,
    isKnown
      ? { kind: 'clear-report', ...order, report: 'deletion', why: 'read back' }
      : { kind: 'report', ...order, report: 'deletion', what: 'a table is gone' },
  );
  return said.effects.reduce(
    (before, effect) =>
      effect.kind === 'page'
        ? turn(before, { kind: 'paged', at, mono, page: effect.page.id, delivered: true, message: '' }).state
        : before,
    said.state,
  );
}
