/** Chance as a number from [0, 1), for what only has to be spread. What can't be guessed is drawn in `ids.ts`. */
export const chance = (): number => Math.random();
