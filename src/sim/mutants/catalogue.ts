/** All mutants there are: the files of this folder that begin with a number. A file that is there is hunted. */
import { readdirSync } from 'node:fs';
import type { Mutant, NamedMutant } from './mutant.ts';

const FILE = /^(?<number>\d\d)-(?<name>[a-z0-9-]+)\.ts$/;

/** In the order of their numbers. Throws a RangeError where two have the same, or one exports no mutant. */
export async function allMutants(): Promise<readonly NamedMutant[]> {
  const found: NamedMutant[] = [];
  for (const file of readdirSync(new URL('.', import.meta.url)).sort()) {
    const { number, name } = FILE.exec(file)?.groups ?? {};
    if (number === undefined || name === undefined) continue;
    if (found.at(-1)?.number === number) throw new RangeError(`two mutants have the number ${number}`);
    const { mutant } = (await import(`./${file}`)) as { readonly mutant?: Mutant };
    if (mutant === undefined) throw new RangeError(`${file} exports no mutant`);
    found.push({ ...mutant, number, name });
  }
  return found;
}
