/** What the tests of the lab's parts share: waiting for something with a bound. */

export const host = '127.0.0.1';
const patienceMs = 10_000;

export const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Polls until `check` gives something true; fails with `what` after ten seconds. */
export async function until<T>(what: string, check: () => T | Promise<T>): Promise<T> {
  const deadlineMs = performance.now() + patienceMs;
  for (;;) {
    const result = await check();
    if (result) return result;
    if (performance.now() > deadlineMs) throw new Error(`not within ${patienceMs} ms: ${what}`);
    await pause(5);
  }
}

/** Holds a claim that something does NOT happen for this long: the one kind of wait that can't be a poll. */
export async function stays(what: string, ms: number, check: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs) {
    if (!(await check())) throw new Error(`did not stay so: ${what}`);
    await pause(5);
  }
}
