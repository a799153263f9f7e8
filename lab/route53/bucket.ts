/** Requests per account as Route 53 limits them: a token bucket, refilled evenly, one token a request. */
export interface TokenBucket {
  /** Takes a token; `false` = throttled. */
  take(nowMs: number): boolean;
}

export function createBucket(capacity: number, refillPerSecond: number): TokenBucket {
  let tokens = capacity;
  let atMs: number | null = null;
  return {
    take(nowMs) {
      const elapsedMs = atMs === null ? 0 : Math.max(0, nowMs - atMs);
      atMs = nowMs;
      tokens = Math.min(capacity, tokens + (elapsedMs * refillPerSecond) / 1000);
      if (tokens < 1) return false;
      tokens -= 1;
      return true;
    },
  };
}
