/** What the daemon asks each PostgreSQL of how it is made. A witness does not: one answer is enough, and it is long. */
import type { Config } from '../model/config.ts';
import type { Secrets } from '../runtime/config/secrets.ts';
import type { FindCertificates } from '../runtime/tls.ts';
import type { ReadinessTarget } from './target.ts';
import { targetsOf } from './targets.ts';

/** It seldom changes, and may take long where databases are many. */
const SCHEDULE = { intervalMs: 60_000, timeoutMs: 10_000 };

/** Throws a RangeError as {@link targetsOf} does. */
export const readinessTargetsOf = (
  config: Config,
  secrets: Pick<Secrets, 'of'>,
  vantage: string,
  certificates: FindCertificates,
): readonly ReadinessTarget[] =>
  targetsOf(config, secrets, vantage, { canary: false, certificates }).flatMap((target) =>
    target.kind === 'postgres'
      ? [{ ...target, ...SCHEDULE, kind: 'readiness', key: `${target.key}/readiness` } as const]
      : [],
  );
