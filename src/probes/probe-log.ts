/** The lines of one probe, each with the time since it began: "why did it fail" is answered where the failure is shown. */
import type { Clock } from '../runtime/clock.ts';
import type { Redact } from '../runtime/redact.ts';

/** As much as an observation holds. */
const MOST_LINES = 40;
const LINE_LENGTH = 300;

export type ProbeLog = { readonly add: (line: string) => void; readonly lines: () => readonly string[] };

export function createProbeLog(clock: Clock, redact: Redact): ProbeLog {
  const startedMono = clock.mono();
  const lines: string[] = [];
  return {
    add: (line) => {
      if (lines.length >= MOST_LINES) return;
      lines.push(`+${Math.round(clock.mono() - startedMono)} ms ${redact(line)}`.slice(0, LINE_LENGTH));
    },
    lines: () => lines,
  };
}
