import { REGION } from '../config.ts';
import { WAYS_TO_A } from '../platform/network.ts';
import type { Platform } from '../platform.ts';
import { codeOf, LabError } from '../servers/errors.ts';
import { patroniStatus, readClusterConfig } from '../servers/patroni.ts';
import { query } from '../servers/postgres.ts';
import { waitFor } from '../servers/wait.ts';
import { killRegion, type Scenario, SEEN_WITHIN_MS, untilFailedOver, untilQuiet } from './scenario.ts';

const FUNCTION = 'pg_catalog.pg_promote(boolean, integer)';
const MAY_PROMOTE = 'roles of failoverd that may execute pg_promote on B';
const STANDBY = 'standby_cluster in the configuration of B';
const LEADS = 'Patroni of B leads a running primary';
const REFUSED = 'starts of A that the fence refused';
const WRITABLE = 'writable databases in A after its return';

/** Behind a manager failoverd needs no right to promote: without it, a promotion by pg_promote could not even be tried. */
async function forbidPromotion(platform: Platform, tell: (line: string) => void): Promise<void> {
  const { a } = platform.regions.postgres;
  await query(a, `revoke execute on function ${FUNCTION} from failoverd, public`, [], 'app');
  const gone = await waitFor('the standby has it', SEEN_WITHIN_MS, async () => (await mayPromote(platform)) === 0);
  tell(gone ? 'no role of failoverd may call pg_promote' : 'the standby never heard that pg_promote is forbidden');
}

async function mayPromote({ regions }: Platform): Promise<number> {
  const sql = `select count(*)::int as roles from unnest(array['failoverd', 'failoverd_ro']) as role
               where has_function_privilege(role, $1, 'execute')`;
  const [row] = await query<{ roles: number }>(regions.postgres.b, sql, [FUNCTION], 'app');
  return row?.roles ?? Number.NaN;
}

/** What the world says of it in the end, asked past failoverd. */
async function measure(platform: Platform): Promise<Record<string, number>> {
  const { managers } = platform.regions;
  if (managers === undefined) throw new LabError('bad-input', 'this lab has no Patroni');
  const config = await readClusterConfig(managers.b.etcd, managers.b.scope);
  const status = await patroniStatus(managers.b);
  const leads = status?.state === 'running' && ['master', 'primary'].includes(status.role);
  return {
    [MAY_PROMOTE]: await mayPromote(platform),
    [STANDBY]: 'standby_cluster' in config ? 1 : 0,
    [LEADS]: leads ? 1 : 0,
  };
}

const WANTS: Scenario['wants'] = [
  { kind: 'measured', name: MAY_PROMOTE, most: 0 },
  { kind: 'measured', name: STANDBY, most: 0 },
  { kind: 'measured', name: LEADS, least: 1 },
];

function managed(given: Pick<Scenario, 'name' | 'says' | 'twin' | 'wants'> & { readonly act: Acts }): Scenario {
  let measured: Record<string, number> = {};
  return {
    ...given,
    expects: 'failover',
    options: { patroni: true },
    wants: [...(WANTS ?? []), ...(given.wants ?? [])],
    measured: () => measured,
    act: async (platform, tell) => {
      measured = {};
      await untilQuiet(platform);
      await forbidPromotion(platform, tell);
      const seen = await given.act(platform, tell);
      measured = { ...(await measure(platform)), ...seen };
    },
  };
}
type Acts = (platform: Platform, tell: (line: string) => void) => Promise<Record<string, number>>;

export const patroniManaged = managed({
  name: 'patroni-managed',
  says: 'Patroni owns both databases; A dies, and B is promoted through Patroni, by a failoverd that may not call pg_promote',
  act: async (platform, tell) => {
    await killRegion(platform, tell);
    await untilFailedOver(platform, tell);
    return {};
  },
});

/**
 * A lives on behind a cut, its Patroni with it, and knows nothing of B's promotion. It is off before B is promoted; when
 * the links are back, whatever would start it again finds it locked.
 */
export const patroniOldSideReturns = managed({
  name: 'patroni-old-side-returns',
  says: 'as patroni-managed, but A is cut off and alive with a client of its own, and returns: never writable beside B',
  twin: { of: 'patroni-managed', but: 'A is cut off instead of dead, and is back after the failover' },
  wants: [
    { kind: 'measured', name: REFUSED, least: 1 },
    { kind: 'measured', name: WRITABLE, most: 0 },
  ],
  act: async (platform, tell) => {
    await platform.clients.local('local').waitForAcks(REGION.a, 10, 10_000);
    for (const link of WAYS_TO_A) platform.network.links.link(link).cut({ mode: 'drop' });
    tell(`nothing passes any more: ${WAYS_TO_A.join(', ')}`);
    await untilFailedOver(platform, tell);
    for (const link of WAYS_TO_A) platform.network.links.link(link).heal();
    tell('the links are back; somebody starts the databases of A');
    const refused = await startRefused(platform);
    return { [REFUSED]: refused ? 1 : 0, [WRITABLE]: await writableInA(platform) };
  },
});

async function startRefused({ regions }: Platform): Promise<boolean> {
  return await regions.hypervisor.act(REGION.a, 'start', 'postgres').then(
    () => false,
    (error: unknown) => {
      if (codeOf(error) !== 'command-failed') throw error;
      return true;
    },
  );
}

/** Past Patroni and failoverd both. */
async function writableInA({ regions }: Platform): Promise<number> {
  const [row] = await query<{ writable: boolean }>(
    regions.postgres.a,
    'select not pg_is_in_recovery() as writable',
  ).catch(() => []);
  return row?.writable === true ? 1 : 0;
}
