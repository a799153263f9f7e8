/** The two clocks of this process. Satisfies `Clock` of `engine/ports.ts`. */
export type Clock = {
  /** Milliseconds since the Unix epoch; may jump. */
  wall(): number;
  /** Milliseconds since this process started; never goes back. */
  mono(): number;
};

export const systemClock: Clock = {
  wall: () => Date.now(),
  mono: () => performance.now(),
};
