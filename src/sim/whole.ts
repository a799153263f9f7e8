/** The whole of failoverd over a seeded world, as a kind of world that the simulator runs. */
import type { World } from './contract.ts';
import { COVERAGE } from './faults.ts';
import { refuses } from './settings.ts';
import { runHistory } from './world.ts';

export const WHOLE: World = { name: 'whole', coverage: COVERAGE, run: runHistory, refuses };
