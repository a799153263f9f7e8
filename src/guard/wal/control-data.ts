/** What the control file of a data directory says, by `pg_controldata`. */
import { type Lsn, lsnBytes } from '../../model/primitives.ts';
import { WalError } from './errors.ts';
import { type Programs, runTool } from './tool.ts';

const STATES = [
  'starting up',
  'shut down',
  'shut down in recovery',
  'shutting down',
  'in crash recovery',
  'in archive recovery',
  'in production',
] as const;
export type ClusterState = (typeof STATES)[number];

export type ControlData = {
  /** Of the cluster, the same on primary and standbys; in decimal. */
  readonly systemIdentifier: string;
  /**
   * As the file has it. A server that was killed leaves the state it ran in: *in production* is no sign that it runs.
   */
  readonly state: ClusterState;
  /** The checkpoint that recovery starts from: its record, where its redo begins, and the timeline of both. */
  readonly checkpoint: { readonly lsn: Lsn; readonly redo: Lsn; readonly timeline: number };
  /** How far recovery must get before the data is consistent; null on a server that was no standby. */
  readonly minRecovery: { readonly lsn: Lsn; readonly timeline: number } | null;
  /** The timeline a crash recovery ends on, as PostgreSQL itself chooses it: the later of the two above. */
  readonly timeline: number;
  readonly segmentBytes: number;
  /** Whether `pg_rewind` can be used: hint bits in the log, or checksums on pages. */
  readonly canRewind: boolean;
  /** What the program printed, for the archive. */
  readonly text: string;
};

/**
 * Reads the control file; the server may run or not.
 * @throws WalError `tool-missing`, `not-this-cluster` (no data directory, or not of this version), `aborted`
 */
export async function controlData(dataDir: string, programs: Programs, signal: AbortSignal): Promise<ControlData> {
  const { exit, output, complaint } = await runTool('pg_controldata', ['-D', dataDir], programs, signal);
  if (exit !== 0)
    throw new WalError('not-this-cluster', `the control file of ${dataDir} can't be read: ${complaint}`, null);
  return parseControlData(output);
}

/** @throws WalError `not-this-cluster` where a field is missing or makes no sense: it is of a version that is not known */
export function parseControlData(text: string): ControlData {
  const fields = new Map<string, string>();
  for (const line of text.split('\n')) {
    // Some names are so long that no space is left between them and the value; none holds a colon.
    const colon = line.indexOf(':');
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  const field = (name: string, form: RegExp): string => {
    const value = fields.get(name);
    if (value === undefined || !form.test(value)) {
      throw new WalError(
        'not-this-cluster',
        `pg_controldata says nothing usable for “${name}”: ${value ?? 'no such line'}`,
        'use the pg_controldata of the same version as the data directory',
      );
    }
    return value;
  };
  const lsn = (name: string): Lsn => field(name, /^[0-9A-Fa-f]{1,8}\/[0-9A-Fa-f]{1,8}$/);
  const number = (name: string): number => Number(field(name, /^\d{1,15}$/));
  const said = field('Database cluster state', /./);
  const state = STATES.find((one) => one === said);
  if (state === undefined) throw new WalError('not-this-cluster', `the control file has an unknown state: ${said}`);
  const checkpoint = {
    lsn: lsn('Latest checkpoint location'),
    redo: lsn("Latest checkpoint's REDO location"),
    timeline: number("Latest checkpoint's TimeLineID"),
  };
  const least = lsn('Minimum recovery ending location');
  const leastTimeline = number("Min recovery ending loc's timeline");
  return {
    systemIdentifier: field('Database system identifier', /^\d{1,20}$/),
    state,
    checkpoint,
    minRecovery: lsnBytes(least) === 0n ? null : { lsn: least, timeline: leastTimeline },
    timeline: Math.max(checkpoint.timeline, leastTimeline),
    segmentBytes: number('Bytes per WAL segment'),
    canRewind: field('wal_log_hints setting', /^(on|off)$/) === 'on' || number('Data page checksum version') > 0,
    text,
  };
}
