import type { Mutant } from './mutant.ts';

/** The check of the promotion reads the fence again in the adapter, which the simulator has a stand-in for. */
export const mutant: Mutant = {
  says: 'a fence that was asked for counts, whatever came of it, and is not read before the promotion',
  file: 'src/policies/run.ts',
  find: `  if (result.kind === 'halt') return halt(turn, group, run, step, result);
  if (outcome !== 'ok') later(turn, run, step);`,
  replace: `  if (result.kind === 'halt') return halt(turn, group, run, step, result);
  if (step.kind === 'fence') say(turn, { kind: 'step.done', at: turn.state.at, group, run: run.id, step: step.id, proof: {} });
  if (outcome !== 'ok') later(turn, run, step);`,
  also: [
    {
      file: 'src/sim/actor.ts',
      find: `      if (this.#fenceStatus(operation).kind !== 'ok') return no('fence-lost');
`,
      replace: '',
    },
    {
      file: 'src/sim/actor.ts',
      find: `      if (this.#weather.hypervisorDown) return unknown('fence-unknown');
`,
      replace: '',
    },
  ],
  caughtBy: [1, 4],
};
