// Loaded into a guard and its dead-man before anything else: where they ask for the proof of stop they get one that knows the
// process group of the postmaster alone. The product has no switch for it.
import { registerHooks } from 'node:module';

const PROVER = /\/src\/guard\/postgres\/proof\.ts$/;
const IN_ITS_PLACE = new URL('./group-kill.ts', import.meta.url).href;

registerHooks({
  resolve(specifier, context, nextResolve) {
    const found = nextResolve(specifier, context);
    // What stands in its place takes the rest from the original.
    if (context.parentURL === IN_ITS_PLACE || !PROVER.test(found.url)) return found;
    return { ...found, url: IN_ITS_PLACE, shortCircuit: true };
  },
});
