/** The one thing these functions ask of their caller: proof that no PostgreSQL works in a data directory (safety.md). */
import { WalError } from './errors.ts';

/** `null` = cannot be told, which stands in the way as *running* does. */
export type StopFinding = { readonly stopped: boolean | null; readonly why: string };
export type Stopped = (signal: AbortSignal) => Promise<StopFinding>;

/** @throws WalError `running`, unless it is proven that nothing runs there (invariant 21) */
export async function insistStopped(stopped: Stopped, dataDir: string, signal: AbortSignal): Promise<void> {
  const finding = await stopped(signal);
  if (finding.stopped === true) return;
  throw new WalError(
    'running',
    finding.stopped === false
      ? `PostgreSQL runs in ${dataDir}: ${finding.why}`
      : `nobody can say that no PostgreSQL runs in ${dataDir}: ${finding.why}`,
    'stop it, with proof, then try again',
  );
}
