/** Runs the targets with a seed, each with its part of the inputs, and says what did not hold. */
import fc from 'fast-check';
import { api } from './api.ts';
import { clocks } from './clocks.ts';
import { configs } from './configs.ts';
import { expressions } from './expressions.ts';
import { files } from './files.ts';
import { journals } from './journals.ts';
import { metrics } from './metrics.ts';
import { pages } from './pages.ts';
import { type FuzzTarget, Violation } from './target.ts';
import { webhooks } from './webhooks.ts';
import { witnesses } from './witnesses.ts';

export const TARGETS: readonly FuzzTarget[] = [
  webhooks,
  api,
  expressions,
  witnesses,
  pages,
  configs,
  metrics,
  journals,
  clocks,
  files,
];

export type FuzzResult = {
  readonly target: string;
  readonly inputs: number;
  readonly tookMs: number;
  /** Most memory that JavaScript held after it, bytes, garbage not counted where that can be had. */
  readonly heapBytes: number;
  /** What did not hold, with the input that shows it; null where all did. */
  readonly violation: string | null;
};

/** `most` = inputs of all targets together; each gets at least one. */
export async function fuzz(options: {
  readonly inputs: number;
  readonly seed: number;
  readonly targets?: readonly FuzzTarget[];
  readonly tell?: (result: FuzzResult) => void;
}): Promise<readonly FuzzResult[]> {
  const { inputs, seed, targets = TARGETS, tell } = options;
  const whole = targets.reduce((sum, { weight }) => sum + weight, 0);
  const results: FuzzResult[] = [];
  for (const target of targets) {
    const result = await one(target, Math.max(1, Math.round((inputs * target.weight) / whole)), seed);
    results.push(result);
    tell?.(result);
  }
  return results;
}

async function one(target: FuzzTarget, inputs: number, seed: number): Promise<FuzzResult> {
  const began = performance.now();
  const { property, close } = await target.prepare();
  let violation: string | null = null;
  let runs = 0;
  try {
    const details = await fc.check(property, { numRuns: inputs, seed, maxSkipsPerRun: 0 });
    runs = details.numRuns;
    if (details.failed) {
      const { errorInstance: error } = details;
      const why = error instanceof Violation ? error.message : error instanceof Error ? error.stack : String(error);
      violation = `${why}\n${fc.defaultReportMessage(details) ?? ''}`;
    }
  } finally {
    await close();
  }
  return {
    target: target.name,
    inputs: runs,
    tookMs: performance.now() - began,
    heapBytes: process.memoryUsage().heapUsed,
    violation,
  };
}
