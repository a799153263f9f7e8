// Random interleavings of two guards and a store that dies, is restored and is cleared: in the store's own time no two
// holders overlap, and where guards keep their waits, none takes the lease within L of another's last renewal.
import fc from 'fast-check';
import t from 'tap';
import type { LeaseAnswer, LeaseRecord, LeaseRequest } from '../../src/model/lease.ts';
import { type MemoryLeaseDisk, memoryLeaseDisk, startMemoryLease } from '../support/memory-lease.ts';
import { A, B, COMPONENT, GROUP } from './contract.ts';

const WAIT_MS = 58_000;
const RENEW_MS = 3_000;
const LEASE_MS = 50_000;

type Set = { readonly atMs: number; readonly life: number; readonly record: LeaseRecord };

/** One guard that does what it may at each of its turns; `hasty` ones take the lease without waiting. */
class Player {
  readonly region: string;
  readonly peer: string;
  readonly hasty: boolean;
  pin: { id: string; start: number } | null = null;
  obeyed = 0;
  holds: number | null = null;
  last: LeaseAnswer | null = null;
  unchangedMs = 0;
  pinnedMs = 0;

  constructor(region: string, peer: string, hasty: boolean) {
    this.region = region;
    this.peer = peer;
    this.hasty = hasty;
  }

  request(operation: LeaseRequest['operation']): LeaseRequest {
    const { region: guard, pin, obeyed } = this;
    return { group: GROUP, component: COMPONENT, guard, process: 'p', pin, obeyed, operation };
  }

  /** What it would set on what it knows; null = it has no right to. */
  wish(action: Action, nowMs: number): LeaseRecord | null {
    const standing = this.last?.record ?? null;
    const mine = standing?.holder === this.region && standing.state === 'held' && standing.epoch === this.holds;
    const base = { holder: this.region, process: 'p', state: 'held', isolation: 'stop', timingsHash: 'x' } as const;
    const rest = { writer: standing?.writer ?? this.region, sample: null, release: null };
    if (action === 'renew' || action === 'drop' || action === 'release') {
      if (!mine || standing === null) return null;
      const renewed = { ...base, ...rest, epoch: standing.epoch, counter: standing.counter + 1 };
      if (action === 'drop') return { ...renewed, peers: [] };
      if (action === 'renew') return { ...renewed, peers: [this.peer] };
      const release = { kind: 'clean', timeline: 1, endLsn: '0/1', at: 0 } as const;
      return { ...renewed, peers: standing.peers, state: 'released', release };
    }
    const waited = nowMs - Math.max(this.unchangedMs, this.pinnedMs) >= WAIT_MS;
    const foreign = standing !== null && standing.state === 'held' && standing.holder !== this.region;
    if (foreign && !waited && !this.hasty) return null;
    return { ...base, ...rest, epoch: (this.last?.floor ?? 0) + 1, counter: 0, peers: [this.peer] };
  }

  take(answer: LeaseAnswer, nowMs: number, asked: LeaseRecord | null): void {
    if (answer.kind === 'refused' && answer.code === 'halted') return;
    const { incarnation: life, record } = answer;
    if (this.pin?.id !== life.id || this.pin.start !== life.start) {
      if (this.pin !== null && life.start <= this.pin.start) return;
      // A holder only after its peer, as guards do.
      if (this.holds !== null && this.pin !== null && answer.guards[this.peer]?.pinned !== true) return;
      this.pin = life;
      this.pinnedMs = nowMs;
      this.last = null;
    }
    if (this.last?.revision !== answer.revision) this.unchangedMs = nowMs;
    this.last = answer;
    if (answer.kind === 'set' && asked !== null) this.holds = asked.state === 'held' ? asked.epoch : null;
    if (record !== null && record.epoch > this.obeyed) this.obeyed = record.epoch;
    if (this.holds !== null && (record?.holder !== this.region || record.epoch !== this.holds)) this.holds = null;
  }
}

type Action = 'read' | 'renew' | 'drop' | 'release' | 'acquire';
type Move =
  | {
      readonly kind: 'turn';
      readonly who: 0 | 1;
      readonly action: Action;
      readonly delayed: boolean;
      readonly lost: boolean;
    }
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'restart' | 'backup' | 'restore' | 'clear' };

const turns = fc.record({
  kind: fc.constant('turn' as const),
  who: fc.constantFrom(0 as const, 1 as const),
  action: fc.constantFrom<Action>('read', 'renew', 'renew', 'acquire', 'acquire', 'drop', 'release'),
  delayed: fc.boolean(),
  lost: fc.integer({ min: 0, max: 5 }).map((n) => n === 0),
});
const passes = fc.record({
  kind: fc.constant('pass' as const),
  ms: fc.constantFrom(100, RENEW_MS, 3 * RENEW_MS, LEASE_MS, WAIT_MS, WAIT_MS + 1),
});
const rare = (...kinds: ('restart' | 'backup' | 'restore' | 'clear')[]) =>
  fc.record({ kind: fc.constantFrom(...kinds) });

function play(moves: readonly Move[], hasty: boolean): { sets: Set[]; seen: Record<string, number> } {
  let [disk, nowMs, lives]: [MemoryLeaseDisk, number, number] = [memoryLeaseDisk(), 1000, 0];
  let backup: MemoryLeaseDisk | null = null;
  const seen: Record<string, number> = {};
  const start = () => {
    lives += 1;
    const rules = { active: A, waitMs: WAIT_MS, renewMs: RENEW_MS, timingsHash: 'x' };
    return startMemoryLease({ disk, id: `life-${lives}`, mono: () => nowMs, ...rules });
  };
  let store = start();
  const players = [new Player(A, B, hasty), new Player(B, A, hasty)] as const;
  const underWay: { player: Player; request: LeaseRequest; asked: LeaseRecord | null; lost: boolean }[] = [];
  const sets: Set[] = [];
  const arrive = ({ player, request, asked, lost }: (typeof underWay)[number]): void => {
    const answer = store.ask(request);
    const code = answer.kind === 'refused' ? answer.code : answer.kind;
    seen[code] = (seen[code] ?? 0) + 1;
    if (answer.kind === 'set' && asked !== null) sets.push({ atMs: nowMs, life: lives, record: asked });
    if (!lost) player.take(answer, nowMs, asked);
  };
  for (const move of moves) {
    if (move.kind === 'pass') nowMs += move.ms;
    else if (move.kind === 'restart') store = start();
    else if (move.kind === 'backup') backup = structuredClone(disk);
    else if (move.kind === 'restore' && backup !== null) {
      disk = structuredClone(backup);
      store = start();
    } else if (move.kind === 'clear') store.clear();
    else if (move.kind === 'turn') {
      const player = players[move.who];
      const record = move.action === 'read' ? null : player.wish(move.action, nowMs);
      const expected = player.last?.revision ?? null;
      const operation = record === null ? ({ kind: 'read' } as const) : ({ kind: 'set', expected, record } as const);
      const one = { player, request: player.request(operation), asked: record, lost: move.lost };
      // What was sent earlier may arrive later, in whatever order.
      if (move.delayed) underWay.push(one);
      else {
        arrive(one);
        const late = underWay.shift();
        if (late !== undefined) arrive(late);
      }
    }
  }
  return { sets, seen };
}

/** Whether of all sets that were granted, in order, each holder's come in one piece: no two overlap. */
function overlapping(sets: readonly Set[]): Set | null {
  let highest = 0;
  for (const set of sets) {
    if (set.record.epoch < highest) return set;
    highest = set.record.epoch;
  }
  return null;
}

const holderAt = new Map<number, string>();
function twoHolders(sets: readonly Set[]): Set | null {
  holderAt.clear();
  for (const set of sets) {
    const holder = holderAt.get(set.record.epoch);
    if (holder !== undefined && holder !== set.record.holder) return set;
    holderAt.set(set.record.epoch, set.record.holder);
  }
  return null;
}

/** An acquisition from another who had not given back, sooner than L after its last renewal. */
function tooSoon(sets: readonly Set[]): Set | null {
  for (const [index, set] of sets.entries()) {
    const before = sets[index - 1];
    if (before === undefined || before.record.holder === set.record.holder) continue;
    if (before.record.state === 'held' && set.atMs - before.atMs < LEASE_MS) return set;
  }
  return null;
}

const seed = 20_261_126;

t.test('invariant 2: over restarts no two holders overlap, however hasty the guards', async (t) => {
  const counts: Record<string, number> = {};
  const move = fc.oneof(
    { weight: 12, arbitrary: turns },
    { weight: 4, arbitrary: passes },
    { weight: 1, arbitrary: rare('restart') },
  );
  fc.assert(
    fc.property(fc.array(move, { minLength: 30, maxLength: 120 }), (moves) => {
      const { sets, seen } = play(moves, true);
      for (const [code, count] of Object.entries(seen)) counts[code] = (counts[code] ?? 0) + count;
      counts['handed-over'] =
        (counts['handed-over'] ?? 0) +
        sets.filter(({ record }, index) => index > 0 && sets[index - 1]?.record.holder !== record.holder).length;
      return overlapping(sets) === null && twoHolders(sets) === null;
    }),
    { seed, numRuns: 1_000 },
  );
  for (const code of ['set', 'conflict', 'is', 'warming', 'not-pinned', 'not-holder', 'handed-over'])
    t.ok((counts[code] ?? 0) > 50, `${code} came: ${counts[code]}`);
});

t.test('where guards wait, nobody takes the lease within L of another’s last renewal', async (t) => {
  let handedOver = 0;
  const move = fc.oneof(
    { weight: 10, arbitrary: turns },
    { weight: 6, arbitrary: passes },
    { weight: 1, arbitrary: rare('restart') },
  );
  fc.assert(
    fc.property(fc.array(move, { minLength: 30, maxLength: 150 }), (moves) => {
      const { sets } = play(moves, false);
      handedOver += sets.filter(({ record }, index) => {
        const before = sets[index - 1]?.record;
        return before !== undefined && before.holder !== record.holder && before.state === 'held';
      }).length;
      return overlapping(sets) === null && tooSoon(sets) === null;
    }),
    { seed, numRuns: 1_000 },
  );
  t.ok(handedOver > 50, `it is taken from who holds it: ${handedOver}`);
});

t.test('a store that goes back to a backup grants nothing that overlaps; cleared, it goes on above', async (t) => {
  let halted = 0;
  const move = fc.oneof(
    { weight: 14, arbitrary: turns },
    { weight: 6, arbitrary: passes },
    { weight: 1, arbitrary: rare('restart', 'backup', 'restore', 'clear') },
  );
  fc.assert(
    fc.property(fc.array(move, { minLength: 40, maxLength: 150 }), (moves) => {
      const { sets, seen } = play(moves, false);
      halted += seen['halted'] ?? 0;
      return tooSoon(sets) === null;
    }),
    { seed, numRuns: 1_000 },
  );
  t.ok(halted > 50, `it halts: ${halted}`);
});
