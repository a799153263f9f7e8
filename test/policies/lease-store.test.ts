// Rules of the lease store that two guards alone don't show.
import t from 'tap';
import type { Incarnation, LeaseAnswer, LeaseRecord } from '../../src/model/lease.ts';
import { memoryLeaseDisk, startMemoryLease } from '../support/memory-lease.ts';

const [A, B, C] = ['us-east-1', 'eu-central-1', 'ap-south-1'];
const RULES = { active: A, waitMs: 58_000, renewMs: 3_000, timingsHash: 'x' };

function store() {
  const disk = memoryLeaseDisk();
  const clock = { nowMs: 1000 };
  let lives = 0;
  const start = () => {
    lives += 1;
    return startMemoryLease({ disk, id: `life-${lives}`, mono: () => clock.nowMs, ...RULES });
  };
  let life = start();
  const pins = new Map<string, Incarnation>();
  const ask = (guard: string, operation: object): LeaseAnswer =>
    life.ask({
      ...{ group: 'g', component: 'db', guard, process: 'p', pin: pins.get(guard) ?? null, obeyed: 0 },
      operation,
    } as never);
  const read = (guard: string): LeaseAnswer => ask(guard, { kind: 'read' });
  return {
    clock,
    read,
    pin(...guards: string[]) {
      for (const guard of guards) {
        pins.set(guard, read(guard).incarnation);
        read(guard);
      }
    },
    set(guard: string, over: Partial<LeaseRecord>): LeaseAnswer {
      const { revision: expected, record: standing } = read(guard);
      const base = { holder: guard, process: 'p', counter: 0, state: 'held', peers: [], isolation: 'stop' } as const;
      const rest = { writer: standing?.writer ?? guard, timingsHash: 'x', sample: null, release: null };
      return ask(guard, { kind: 'set', expected, record: { ...base, ...rest, ...over } });
    },
    restart() {
      life = start();
    },
  };
}

t.test('a candidate waits for every other that might be promoted in its place, silent or not', async (t) => {
  const s = store();
  s.pin(A, B, C);
  s.clock.nowMs += RULES.waitMs;
  for (const guard of [B, C]) s.read(guard);
  t.equal(s.set(A, { epoch: 1, peers: [B, C] }).kind, 'set');
  s.restart();
  s.pin(B);
  s.clock.nowMs += RULES.waitMs;
  t.match(s.set(B, { epoch: 2 }), { kind: 'refused', code: 'not-pinned', message: /ap-south-1/ });
  s.pin(C);
  t.equal(s.set(B, { epoch: 2 }).kind, 'set');
});

t.test('what was given back waits for nobody who is silent', async (t) => {
  const s = store();
  s.pin(A, B, C);
  s.clock.nowMs += RULES.waitMs;
  for (const guard of [B, C]) s.read(guard);
  s.set(A, { epoch: 1, peers: [B, C] });
  const release = { kind: 'clean', timeline: 1, endLsn: '0/1', at: 1 } as const;
  t.equal(s.set(A, { epoch: 1, counter: 1, peers: [B, C], state: 'released', release }).kind, 'set');
  s.restart();
  s.pin(B);
  s.clock.nowMs += RULES.waitMs;
  t.equal(s.set(B, { epoch: 2 }).kind, 'set');
});
