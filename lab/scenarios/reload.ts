import { readFile, writeFile } from 'node:fs/promises';
import { PEOPLE } from '../config.ts';
import type { Platform } from '../platform.ts';
import { killRegion, type Scenario, untilDecided, untilFailedOver, untilQuiet } from './scenario.ts';

const STATUS = 'status that the reload answers';

/** The file on disk is another one from now on, and failoverd is told to read it; the status of its answer. */
async function reload(platform: Platform, change: (text: string) => string): Promise<number> {
  const file = platform.daemons.config;
  const before = await readFile(file, 'utf8');
  const after = change(before);
  if (after === before) throw new RangeError('the config is the same as before');
  await writeFile(file, after);
  const answer = await fetch(`${platform.daemons.url}/-/reload`, {
    method: 'POST',
    headers: { authorization: `Bearer ${platform.daemons.tokens[PEOPLE[0]] ?? ''}` },
    signal: AbortSignal.timeout(10_000),
  });
  await answer.body?.cancel();
  return answer.status;
}

/** The group is to ask people from now on. */
const gated = (text: string): string => text.replace('autonomy: auto', 'autonomy: gated');
const misspelt = (text: string): string => gated(text).replace('approvalExpiry:', 'aprovalExpiry:');

function reloading(
  scenario: Omit<Scenario, 'act' | 'measured'>,
  change: (text: string) => string,
  after: Scenario['act'],
) {
  let status = 0;
  const made: Scenario = {
    ...scenario,
    measured: () => ({ [STATUS]: status }),
    act: async (platform, tell) => {
      await untilQuiet(platform);
      status = await reload(platform, change);
      tell(`failoverd reads its config anew, and answers ${status}`);
      await untilQuiet(platform);
      await killRegion(platform, tell);
      await after(platform, tell);
    },
  };
  return made;
}

export const reloadBadConfig = reloading(
  {
    name: 'reload-bad-config',
    says: 'a config that asks people, with one key misspelt, is refused: the one before stays in force, and fails over by itself',
    expects: 'failover',
    wants: [
      { kind: 'measured', name: STATUS, least: 422, most: 422 },
      { kind: 'trigger', trigger: 'auto' },
    ],
    twin: { of: 'reload-good-config', but: 'one key is misspelt' },
  },
  misspelt,
  async (platform, tell) => {
    await untilFailedOver(platform, tell);
  },
);

export const reloadGoodConfig = reloading(
  {
    name: 'reload-good-config',
    says: 'as reload-bad-config, but spelt well: it is in force, and people are asked',
    expects: 'proposal',
    wants: [
      { kind: 'measured', name: STATUS, least: 200, most: 200 },
      { kind: 'decided', decision: { row: 40, action: 'propose', autonomy: 'gated' } },
    ],
    twin: { of: 'reload-bad-config', but: 'every key is spelt well' },
  },
  gated,
  async (platform, tell) => await untilDecided(platform, tell, { row: 40, action: 'propose' }),
);
