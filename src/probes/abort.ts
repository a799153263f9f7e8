/** Waiting that a signal can end. */

export const ABORTED: unique symbol = Symbol('aborted');

/** The promise's value, or {@link ABORTED} as soon as the signal says so; what the promise does later is nobody's concern. */
export async function untilAborted<T>(signal: AbortSignal, promise: Promise<T>): Promise<T | typeof ABORTED> {
  let stopListening = (): void => undefined;
  const aborted = new Promise<typeof ABORTED>((resolve) => {
    const abort = (): void => resolve(ABORTED);
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort, { once: true });
    stopListening = () => signal.removeEventListener('abort', abort);
  });
  try {
    // The signal first: where both are settled already, the deadline has passed.
    return await Promise.race([aborted, promise]);
  } finally {
    stopListening();
  }
}
