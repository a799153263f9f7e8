/** Clocks that jump: by years, backwards, at any moment. While all is well nothing is decided by them. */
import fc from 'fast-check';
import { startEngine } from '../../src/engine/engine.ts';
import type { Ports } from '../../src/engine/ports.ts';
import { openMemoryJournal } from '../../src/journal/memory.ts';
import { settingsOf } from '../../src/model/settings.ts';
import { config, look } from '../daemon/http/harness.ts';
import { type FuzzTarget, must } from './target.ts';

const YEAR_MS = 365 * 86_400_000;
const jump = fc.record({
  wallMs: fc.oneof(
    fc.integer({ min: -3 * YEAR_MS, max: 3 * YEAR_MS }),
    fc.integer({ min: -2_000, max: 2_000 }),
    fc.constant(0),
  ),
  monoMs: fc.oneof(fc.integer({ min: 0, max: 5_000 }), fc.integer({ min: 0, max: 90 * 86_400_000 })),
  what: fc.constantFrom('tick', 'well', 'well', 'stale'),
});

export const clocks: FuzzTarget = {
  name: 'clocks',
  weight: 2,
  async prepare() {
    return {
      property: fc.asyncProperty(fc.array(jump, { minLength: 1, maxLength: 12 }), async (jumps) => {
        let wall = Date.UTC(2026, 0, 12);
        let mono = 0;
        const ports: Ports = {
          clock: { wall: () => wall, mono: () => mono },
          // Nothing fires by itself: time passes where the input says so.
          timers: { after: () => () => undefined },
          actor: { perform: () => Promise.reject(new Error('nothing is to be done')) },
          prober: { probeNow: () => undefined },
          pager: { deliver: async () => ({ delivered: true, message: '' }) },
          replies: { reply: () => undefined },
          observer: { appended: () => undefined, failed: () => undefined, clockSet: () => undefined },
        };
        const engine = await startEngine({
          settings: settingsOf(config('auto')),
          store: await openMemoryJournal(),
          ports,
          incarnation: 'fuzz',
          version: '0',
          configHash: 'none',
        });
        try {
          for (const { wallMs, monoMs, what } of jumps) {
            const epoch = engine.state().ledger.groups['orders']?.epoch ?? 0;
            wall = Math.max(0, wall + wallMs);
            mono += monoMs;
            if (what === 'tick') await engine.submit({ kind: 'tick' });
            else {
              const observations = ['daemon', 'dublin'].flatMap((vantage) => look(vantage));
              if (what === 'stale') mono += 3_600_000;
              await engine.submit({ kind: 'observed', observations });
            }
            must(engine.health() === 'running', () => `the engine failed: ${engine.failure()?.message}`);
            const group = engine.state().ledger.groups['orders'];
            must(
              (group?.run ?? null) === null && (group?.proposal ?? null) === null,
              () => 'a clock that jumped decided something',
            );
            must((group?.epoch ?? 0) >= epoch, () => 'an epoch went back');
          }
        } finally {
          await engine.stop();
        }
      }),
      close: async () => undefined,
    };
  },
};
