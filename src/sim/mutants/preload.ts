/** `node --import .../preload.ts?mutant=NN test.ts`: a test run against a mutant, for what the simulator can't see. */
import { allMutants } from './catalogue.ts';
import { plant } from './plant.ts';

const wanted = new URL(import.meta.url).searchParams.get('mutant');
const mutant = (await allMutants()).find(({ number }) => number === wanted);
if (mutant === undefined) throw new RangeError(`there is no mutant ${wanted}`);
plant(mutant);
