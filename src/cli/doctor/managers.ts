/** Who owns each PostgreSQL, as it shows, against what the config says of it; and whether a Patroni would do as it is told. */
import { type PatroniView, readPatroni } from '../../actions/patroni-api.ts';
import { createPostgresPool } from '../../actions/postgres-connection.ts';
import { managerOf } from '../../actions/postgres-managers.ts';
import { allPostgres, type PostgresTarget, postgresTarget } from '../../actions/targets.ts';
import type { Config, GroupConfig } from '../../model/config.ts';
import { systemClock } from '../../runtime/clock.ts';
import type { Secrets } from '../../runtime/config/secrets.ts';
import type { Redact } from '../../runtime/redact.ts';
import { systemTimers } from '../../runtime/timers.ts';
import type { FindCertificates } from '../../runtime/tls.ts';
import { within } from '../asking.ts';
import { type Finding, finding } from './report.ts';

const ASK_MS = 5_000;

type Ask = { readonly secrets: Secrets; readonly certificates: FindCertificates; readonly redact: Redact };

/** Only reads. Never rejects for what a server does. */
export async function examineManagers(config: Config, ask: Ask): Promise<Finding[]> {
  const found = Object.entries(config.groups).flatMap(([id, group]) =>
    allPostgres(group).flatMap((component) =>
      Object.keys(component.component.instances).flatMap((region) => {
        const target = postgresTarget(id, component, region);
        return target === null ? [] : [examineOne(id, group, target, ask)];
      }),
    ),
  );
  return (await Promise.all(found)).flat();
}

async function examineOne(id: string, group: GroupConfig, target: PostgresTarget, ask: Ask): Promise<Finding[]> {
  const control = target.component.control ?? 'direct';
  switch (control) {
    case 'direct':
      return await signsOf(id, target, ask);
    case 'patroni':
      return await patroniOf(id, group, target, ask);
    case 'guard':
    case 'command':
      return [];
    default:
      return control satisfies never;
  }
}

const aboutOf = (id: string, { id: component, region }: PostgresTarget): string => `${id}/${component} in ${region}`;

/** A server that can't be asked is told of by its probe. */
async function signsOf(id: string, target: PostgresTarget, { secrets, certificates, redact }: Ask): Promise<Finding[]> {
  const secret = (reference: string): string => secrets.of(reference).reveal();
  const postgres = createPostgresPool(secret, systemTimers, certificates);
  const manager = await within(ASK_MS, (signal) => managerOf(target, { postgres, signal })).finally(() =>
    postgres.close(),
  );
  if ('code' in manager || manager.by === null) return [];
  const says = `${manager.by} owns this server (${redact(manager.sign)}), and the config says control: direct: it will not be promoted behind it`;
  const driver =
    manager.by === 'Patroni'
      ? 'control: patroni, as docs/patroni.md says'
      : 'control: command, with programs that ask it';
  return [finding('stop', aboutOf(id, target), says, `write ${driver}`)];
}

async function patroniOf(
  id: string,
  group: GroupConfig,
  target: PostgresTarget,
  { certificates }: Ask,
): Promise<Finding[]> {
  const address = target.component.patroni?.[target.region];
  if (address === undefined) return [];
  const deadlineMono = systemClock.mono() + ASK_MS;
  const view = await within(ASK_MS, (signal) =>
    readPatroni(address, { clock: systemClock, timers: systemTimers, signal, deadlineMono, certificates }),
  );
  const about = `${aboutOf(id, target)}, Patroni`;
  return findingsOf(view, group, target).map(({ level, says, remedy }) => finding(level, about, says, remedy));
}

type Said = Pick<Finding, 'level' | 'says' | 'remedy'>;

function findingsOf(view: PatroniView, group: GroupConfig, target: PostgresTarget): Said[] {
  const [cluster] = view.clusters;
  const silent: Said[] = view.silent.map((says) => ({
    level: cluster === undefined ? 'stop' : 'warn',
    says,
    remedy: 'let this machine reach every member, and every member its store',
  }));
  if (cluster === undefined) return silent;
  const said = [...silent];
  if (cluster.paused)
    said.push({ level: 'warn', says: 'it is paused, and would not promote', remedy: 'patronictl resume' });
  if (cluster.leads === null) said.push({ level: 'warn', says: 'it has no leader', remedy: 'patronictl list' });
  if (cluster.members > view.members.length)
    said.push({
      level: 'warn',
      says: `its store knows ${cluster.members} members, and ${view.members.length} answered`,
      remedy: 'name every member in urls: a leader that is not among them can’t be asked',
    });
  if (cluster.leads === 'primary' && target.region === group.secondary)
    said.push({
      level: 'note',
      says: 'it is no standby cluster; right only while this region is the active one',
      remedy: 'otherwise set standby_cluster in its dynamic configuration',
    });
  return said;
}
