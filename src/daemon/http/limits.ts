/**
 * How much one client or one person may ask for. Counted on the monotonic clock, so that a clock that is set neither opens
 * nor shuts anything. Webhooks and reports are not counted here: an Alertmanager that is told 429 tries again only at the
 * next group interval (design §4), so what is too much of them is told 503 (`backpressure.ts`).
 */
import { isIPv6 } from 'node:net';
import type { MonoMs } from '../../model/primitives.ts';

export type Rate = {
  /** Requests that may come at once. */
  readonly burst: number;
  /** Requests a second in the long run. */
  readonly perSecond: number;
};

export type Rates = {
  /** Everything a client asks for, but webhooks, reports and `/-/`. */
  readonly client: Rate;
  /** Orders of one person, from wherever they come. */
  readonly person: Rate;
  /** Tries with a token that is nobody's, of one client. */
  readonly guess: Rate;
  /** Requests of one guard to the lease store. */
  readonly guard: Rate;
  /** Explanations of an instant of the past, for one client. */
  readonly past: Rate;
};

/** A page follows with four requests a second; whole teams may stand behind one proxy. */
export const RATES: Rates = {
  client: { burst: 1_000, perSecond: 200 },
  person: { burst: 30, perSecond: 0.5 },
  guess: { burst: 20, perSecond: 1 },
  // One in three seconds is its due; after a conflict it asks again at once.
  guard: { burst: 30, perSecond: 5 },
  past: { burst: 20, perSecond: 1 },
};

/** Clients and persons that are kept in mind; beyond them the one that has been quiet longest is forgotten. */
const MOST_KEYS = 10_000;

export type Limiter = {
  /** Counts one request; 0, or the milliseconds after which the next may come. What is refused is not counted. */
  take(key: string): number;
  /** The same without counting. */
  wait(key: string): number;
};

/** A leaky bucket by arrival times (ITU-T I.371, GCRA): one number for each key. */
export function createLimiter({ burst, perSecond }: Rate, mono: () => MonoMs, mostKeys = MOST_KEYS): Limiter {
  const everyMs = 1000 / perSecond;
  const toleranceMs = everyMs * (burst - 1);
  /** When each key's bucket will be empty; in the order in which they last asked. */
  const emptyAt = new Map<string, MonoMs>();
  const wait = (key: string): number => {
    const waitMs = (emptyAt.get(key) ?? 0) - toleranceMs - mono();
    // Under a microsecond is a rounding of the sums.
    return waitMs > 0.001 ? waitMs : 0;
  };
  return {
    wait,
    take(key) {
      const waitMs = wait(key);
      if (waitMs > 0) return waitMs;
      const next = Math.max(emptyAt.get(key) ?? 0, mono()) + everyMs;
      emptyAt.delete(key);
      emptyAt.set(key, next);
      const [oldest] = emptyAt.keys();
      if (emptyAt.size > mostKeys && oldest !== undefined) emptyAt.delete(oldest);
      return 0;
    },
  };
}

/** What counts as one client: an IPv4 address, or an IPv6 network of 64 bits, all of which one machine may use. */
export function clientOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  const plain = address.split('%')[0] ?? address;
  if (!isIPv6(plain)) return address;
  const [head = '', tail] = plain.toLowerCase().split('::');
  const first = head === '' ? [] : head.split(':');
  const last = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups = [...first, ...Array<string>(Math.max(0, 8 - first.length - last.length)).fill('0'), ...last];
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')}::/64`;
}

export type Limits = { readonly [K in keyof Rates]: Limiter };

export const createLimits = (rates: Rates, mono: () => MonoMs): Limits => ({
  client: createLimiter(rates.client, mono),
  person: createLimiter(rates.person, mono),
  guess: createLimiter(rates.guess, mono),
  guard: createLimiter(rates.guard, mono),
  past: createLimiter(rates.past, mono),
});
