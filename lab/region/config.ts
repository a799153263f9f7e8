import { readFile } from 'node:fs/promises';
import { LabError, textOf } from '../servers/errors.ts';
import type { GuardNode } from '../servers/guard.ts';
import type { PatroniNode } from '../servers/patroni.ts';
import type { PostgresInstance } from '../servers/postgres-settings.ts';

/** The HTTP service of a region: what it is called, where it listens, which database it writes to. */
export interface ServiceConfig {
  readonly region: string;
  readonly host: string;
  readonly port: number;
  readonly postgres: {
    readonly host: string;
    readonly port: number;
    readonly user: string;
    readonly password: string;
    readonly database: string;
  };
  /** Also by https, for clients with a certificate of that authority; all PEM. */
  readonly tls?:
    | { readonly port: number; readonly certificate: string; readonly key: string; readonly ca: string }
    | undefined;
}

/** The machines of one region. The service works in a folder of its own, by which its process is recognised. */
export interface RegionMachines {
  readonly postgres: PostgresInstance;
  /** What starts, stops and promotes it; with its own store it is part of the same machine. Without one nobody does. */
  readonly manager?: PatroniNode | GuardNode | undefined;
  readonly service: { readonly dir: string; readonly config: ServiceConfig };
}

export interface HypervisorConfig {
  readonly host: string;
  readonly port: number;
  /** Where it remembers what is locked off, over its own restarts. */
  readonly stateDir: string;
  readonly regions: Readonly<Record<string, RegionMachines>>;
  /** Sabotage: claim a power-off without doing it. */
  readonly lie?: boolean;
  /** Switch everything off and end when the process that started it is gone. */
  readonly endWithParent?: boolean;
}

export type MachineName = 'postgres' | 'service';

/** Read a configuration that the lab wrote itself; only its being there and being an object is checked. */
export async function readConfig<T extends object>(argv: readonly string[]): Promise<T> {
  const at = argv.indexOf('--config');
  const file = at === -1 ? undefined : argv[at + 1];
  if (file === undefined) throw new LabError('bad-input', 'which configuration?', 'call with --config FILE');
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    throw new LabError('bad-input', `${file}: ${textOf(error)}`);
  }
}
