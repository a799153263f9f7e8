// Each input is judged for the groups it concerns: looking at all the others too would say nothing more (invariants 16 to 18).
import fc from 'fast-check';
import t from 'tap';
import { initialState, turn } from '../../src/engine/core.ts';
import type { Config, GroupConfig } from '../../src/model/config.ts';
import type { EventBody } from '../../src/model/events.ts';
import type { Alert, Observation } from '../../src/model/evidence.ts';
import type { Effect, Input, State } from '../../src/model/loop.ts';
import type { Verdict } from '../../src/model/primitives.ts';
import { settingsOf } from '../../src/model/settings.ts';
import { A, B, CONFIG, GROUP_CONFIG } from '../support/group.ts';
import { NIGHT, PRIMARY_FACTS, STANDBY_FACTS, succeed } from '../support/histories.ts';
import { ALIKE } from '../support/readiness.ts';

const GROUPS = ['east', 'west', 'north'] as const;
type Group = (typeof GROUPS)[number];
const ROWS: NonNullable<GroupConfig['matrix']> = [
  { id: 30, kind: 'gate', when: 'bad(maintenance.over)', against: ['restart'] },
  { id: 40, kind: 'decide', when: 'bad(active.reachable)', for: '2s', action: 'failover', auto: true },
  { id: 45, kind: 'decide', scope: 'postgres', when: 'bad(component.reachable)', for: '1s', action: 'restart' },
  { id: 70, kind: 'decide', when: 'bad(monitoring.watching)', action: 'speak-up' },
  { id: 80, kind: 'decide', when: 'bad(workloads.healthy)', action: 'speak-up' },
];
const CONTROL = 'tcp://192.0.2.53:53';
const config = (autonomies: readonly ('observe' | 'gated' | 'auto')[]): Config => ({
  ...CONFIG,
  alertmanager: {
    region: B,
    bearer: '${env:TOKEN}',
    watchdogWithin: '8s',
    facts: [
      // One alert that speaks of two groups, and one of each.
      { match: ['alertname="Both"'], fact: 'region-unreachable', group: 'east', region: A },
      { match: ['alertname="Both"'], fact: 'workload-degraded', group: 'west', region: A },
      ...GROUPS.flatMap((group) => {
        const of = (fact: 'region-unreachable' | 'corruption-reported' | 'watchdog' | 'maintenance') => ({
          match: [`alertname="${fact}"`, `group="${group}"`],
          fact,
          group,
          region: A,
        });
        return [of('region-unreachable'), of('corruption-reported'), of('watchdog'), of('maintenance')];
      }),
    ],
    silences: [{ match: ['group="east"'], group: 'east', causes: ['restart'] }],
  },
  groups: Object.fromEntries(
    GROUPS.map((group, n) => [group, { ...GROUP_CONFIG, matrix: ROWS, autonomy: autonomies[n] ?? 'gated' }]),
  ),
});

type Move =
  | {
      readonly kind: 'sees';
      readonly group: Group;
      readonly vantages: number;
      readonly gone: boolean;
      readonly streams: boolean;
      readonly controls: 'none' | 'first' | 'last';
    }
  | { readonly kind: 'controls'; readonly vantages: number; readonly verdict: Verdict }
  | {
      readonly kind: 'alerts';
      readonly alerts: readonly (readonly [name: string, group: Group, resolved: boolean])[];
      readonly asked: boolean;
    }
  | { readonly kind: 'silences'; readonly group: Group; readonly silenced: boolean }
  | {
      readonly kind: 'order';
      readonly order: 'approve' | 'abort' | 'report' | 'clear-report';
      readonly group: Group;
      readonly role: 'sre' | 'vp';
    }
  | { readonly kind: 'reload'; readonly autonomies: readonly ('observe' | 'gated' | 'auto')[] };

const group = fc.constantFrom(...GROUPS);
const autonomies = fc.tuple(
  ...GROUPS.map(() => fc.constantFrom('observe' as const, 'gated' as const, 'auto' as const)),
);
const NAMES = ['Both', 'region-unreachable', 'corruption-reported', 'watchdog', 'maintenance', 'nothing'];
const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('sees' as const),
      group,
      vantages: fc.integer({ min: 1, max: 3 }),
      gone: fc.boolean(),
      streams: fc.boolean(),
      controls: fc.constantFrom('none' as const, 'first' as const, 'last' as const),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('controls' as const),
      vantages: fc.integer({ min: 1, max: 3 }),
      verdict: fc.constantFrom('ok' as const, 'ok' as const, 'ok' as const, 'bad' as const, 'unknown' as const),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('alerts' as const),
      alerts: fc.array(fc.tuple(fc.constantFrom(...NAMES), group, fc.boolean()), { minLength: 1, maxLength: 3 }),
      asked: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('silences' as const), group, silenced: fc.boolean() }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('order' as const),
      order: fc.constantFrom('approve' as const, 'abort' as const, 'report' as const, 'clear-report' as const),
      group,
      role: fc.constantFrom('sre' as const, 'vp' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reload' as const), autonomies }) },
);

type Step = readonly [afterMs: number, move: Move];
const both = { kind: 'sees', vantages: 3, controls: 'none' } as const;
const answers = { kind: 'controls', vantages: 3, verdict: 'ok' } as const;
/** Whatever comes, and stretches in which a region is well, or lost, long enough for something to be decided. */
const stretch: fc.Arbitrary<readonly Step[]> = fc.oneof(
  fc.array(fc.tuple(fc.integer({ min: 1, max: 1500 }), move), { minLength: 1, maxLength: 6 }),
  fc
    .record({ group, gone: fc.boolean(), streams: fc.boolean(), looks: fc.integer({ min: 1, max: 8 }) })
    .map(({ group: of, gone, streams, looks }): Step[] => [
      [
        10,
        {
          kind: 'alerts',
          alerts: [
            ['region-unreachable', of, !gone],
            ['watchdog', of, false],
          ],
          asked: true,
        },
      ],
      ...Array.from({ length: looks }, (): Step[] => [
        [500, { ...both, group: of, gone, streams: streams && !gone }],
        [10, answers],
      ]).flat(),
    ]),
);

const alertOf = (name: string, of: Group, resolved: boolean): Alert => ({
  fingerprint: Buffer.from(`${name}${of}`).toString('hex').slice(-16).padStart(16, '0'),
  startsAt: NIGHT,
  status: resolved ? 'resolved' : 'firing',
  labels: { alertname: name, group: of },
  summary: null,
});
const VANTAGES = ['daemon', 'dublin'] as const;
const some = (mask: number) => VANTAGES.filter((_, n) => (mask & (1 << n)) !== 0);
const seen = (vantage: string, at: number, verdict: Verdict) => ({
  vantage,
  at,
  durationMs: 5,
  verdict,
  reached: verdict === 'ok' ? ('read' as const) : ('connect' as const),
  code: verdict === 'ok' ? null : ('timeout' as const),
  message: null,
});

function inputOf(move: Move, state: State, at: number, count: number): Omit<Input, 'at' | 'mono'> {
  switch (move.kind) {
    case 'sees': {
      const observations = some(move.vantages).flatMap((vantage): Observation[] => {
        const control: Observation = { kind: 'control', target: CONTROL, ...seen(vantage, at, 'ok') };
        const sights = ([A, B] as const).flatMap((region): Observation[] => {
          const verdict = region === A && move.gone ? 'bad' : 'ok';
          const base = { group: move.group, region, ...seen(vantage, at, verdict) };
          const facts =
            region === A
              ? PRIMARY_FACTS
              : { ...STANDBY_FACTS, walReceiver: move.streams ? ('streaming' as const) : ('none' as const) };
          const told = verdict === 'ok' ? { ...facts, clockAt: at } : null;
          return [
            { kind: 'postgres', component: 'db', ...base, facts: told },
            { kind: 'http', component: 'api', ...base, facts: { status: verdict === 'ok' ? 200 : null } },
            ...(vantage === 'daemon'
              ? [{ kind: 'readiness' as const, component: 'db', ...base, facts: verdict === 'ok' ? ALIKE : null }]
              : []),
          ];
        });
        if (move.controls === 'none') return sights;
        return move.controls === 'first' ? [control, ...sights] : [...sights, control];
      });
      return { kind: 'observed', observations } as Omit<Input, 'at' | 'mono'>;
    }
    case 'controls':
      return {
        kind: 'observed',
        observations: some(move.vantages).map((vantage) => ({
          kind: 'control',
          target: CONTROL,
          ...seen(vantage, at, move.verdict),
        })),
      } as Omit<Input, 'at' | 'mono'>;
    case 'alerts':
      return {
        kind: 'webhook',
        request: `w${count}`,
        alerts: move.alerts.map(([name, of, resolved]) => alertOf(name, of, resolved)),
        ...(move.asked ? { askedMono: state.mono } : {}),
      } as Omit<Input, 'at' | 'mono'>;
    case 'silences': {
      const silence = {
        id: 's',
        matchers: [{ label: 'group', equal: true, value: 'east' }],
        startsAt: at - 1,
        endsAt: at + 20_000,
        by: 'ann',
        comment: 'work',
      };
      const silenced = ['region-unreachable', 'watchdog'].map((name) => ({
        alert: alertOf(name, move.group, false),
        silencedBy: ['s'],
      }));
      return {
        kind: 'silences',
        silences: move.silenced ? [silence] : [],
        silenced: move.silenced ? silenced : [],
      } as unknown as Omit<Input, 'at' | 'mono'>;
    }
    case 'order': {
      const own = state.ledger.groups[move.group];
      const person = { id: `${move.role}-1`, roles: [move.role] };
      const base = {
        request: `o${count}`,
        person,
        idempotency: { key: `k${count % 3}`, fingerprint: `${move.order}` },
      };
      const target = own?.run?.id ?? own?.proposal?.id ?? own?.raise?.id ?? 'none';
      const planHash = own?.proposal?.planHash ?? own?.raise?.configHash ?? null;
      if (move.order === 'approve')
        return { kind: 'approve', ...base, target, planHash, nonce: 'n', breakGlass: null } as Omit<
          Input,
          'at' | 'mono'
        >;
      if (move.order === 'abort') return { kind: 'abort', ...base, target, why: 'no' } as Omit<Input, 'at' | 'mono'>;
      return {
        kind: move.order,
        ...base,
        group: move.group,
        report: 'corruption',
        what: 'x',
        why: 'y',
      } as unknown as Omit<Input, 'at' | 'mono'>;
    }
    case 'reload':
      return {
        kind: 'reloaded',
        request: `r${count}`,
        by: 'ann',
        configHash: `c${count}`,
        settings: settingsOf(config(move.autonomies)),
        restartNeeded: [],
      } as Omit<Input, 'at' | 'mono'>;
    default:
      return move satisfies never;
  }
}

/** What of a look matters: what is written down, and what is done about it. */
const told = (turned: ReturnType<typeof turn>): unknown[] => [
  ...turned.entries.map(({ body }) => body),
  ...turned.effects.filter(({ kind }) => kind !== 'wake'),
];

t.test('looking at every group after an input says nothing that looking at those it concerns did not', async (t) => {
  const kinds = new Set<string>();
  fc.assert(
    fc.property(autonomies, fc.array(stretch, { maxLength: 12 }), (autonomy, stretches) => {
      let at = NIGHT;
      let mono = 1000;
      let state = initialState(settingsOf(config(autonomy)));
      const waiting: Omit<Input, 'at' | 'mono'>[] = [];
      const take = (input: Omit<Input, 'at' | 'mono'>): ReturnType<typeof turn> => {
        const turned = turn(state, { ...input, at, mono } as Input);
        state = turned.state;
        for (const { body } of turned.entries) kinds.add((body as EventBody).kind);
        for (const effect of turned.effects as Effect[]) {
          if (effect.kind === 'perform')
            waiting.push({ kind: 'performed', operation: effect.key, result: succeed(effect) } as Omit<
              Input,
              'at' | 'mono'
            >);
          if (effect.kind === 'page')
            waiting.push({ kind: 'paged', page: effect.page.id, delivered: true, message: '' } as Omit<
              Input,
              'at' | 'mono'
            >);
        }
        return turned;
      };
      const check = (input: Omit<Input, 'at' | 'mono'>): void => {
        take({ kind: 'tick' } as Omit<Input, 'at' | 'mono'>);
        mono += 1;
        at += 1;
        take({ kind: 'tick' } as Omit<Input, 'at' | 'mono'>);
        take(input);
        const more = told(take({ kind: 'tick' } as Omit<Input, 'at' | 'mono'>));
        if (more.length > 0)
          throw new Error(
            `after ${JSON.stringify(input).slice(0, 1500)} a look at all says ${JSON.stringify(more).slice(0, 1500)}`,
          );
      };
      take({ kind: 'started', incarnation: 'one', version: 'test', configHash: 'none' } as Omit<Input, 'at' | 'mono'>);
      for (const [count, [ms, one]] of stretches.flat().entries()) {
        at += ms;
        mono += ms;
        for (const answer of waiting.splice(0)) check(answer);
        check(inputOf(one, state, at, count));
      }
    }),
    { numRuns: 150 },
  );
  for (const kind of [
    'hold.started',
    'decision.made',
    'proposal.opened',
    'run.opened',
    'raise.opened',
    'notice.opened',
    'report.made',
    'alerts.reopened',
  ])
    t.ok(kinds.has(kind), `histories come to ${kind}`);
});
