import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'a wall clock that is set back is believed while time is counted on',
  file: 'src/engine/forward-time.ts',
  find: '      if (offsetMs === null || !countedOn || nowOffsetMs >= offsetMs) offsetMs = nowOffsetMs;',
  replace: '      if (offsetMs === null || !countedOn || nowOffsetMs !== offsetMs) offsetMs = nowOffsetMs;',
  caughtBy: [29, 19],
  unit: 'test/engine/forward-time.test.ts',
};
