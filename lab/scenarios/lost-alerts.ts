import { ALERTS, REGION } from '../config.ts';
import { WEBHOOKS } from '../platform/network.ts';
import type { Platform } from '../platform.ts';
import { bearerHeader } from '../servers/monitoring.ts';
import { waitFor } from '../servers/wait.ts';
import {
  killRegion,
  lookOn,
  type Scenario,
  SEEN_WITHIN_MS,
  status,
  untilDecided,
  untilFailedOver,
  untilGroup,
  untilQuiet,
} from './scenario.ts';

const cutWebhooks = (platform: Platform): void => platform.network.links.link(WEBHOOKS).cut({ mode: 'reset' });

/** Alertmanager itself, as anybody may ask it. */
async function alertmanagerLists(platform: Platform, alertname: string): Promise<boolean> {
  const url = `${platform.monitoring.real().alertmanager().url}/api/v2/alerts?filter=alertname%3D%22${alertname}%22`;
  const answer = await fetch(url, { signal: AbortSignal.timeout(3_000) });
  return ((await answer.json()) as readonly unknown[]).length > 0;
}

const counts = async (platform: Platform, alertname: string): Promise<boolean> =>
  (await status(platform))?.groups[0]?.alerts.some(({ name }) => name === alertname) === true;

const STILL_FIRING = 'alerts that fire for failoverd, and ended';

/** Invariant 16. The region's alert fires, since one vantage and Prometheus lose sight of it; it ends, and nobody tells failoverd. */
function lostResolved(scenario: Omit<Scenario, 'act' | 'measured'>, after: Scenario['act']): Scenario {
  let stillFiring = 0;
  return {
    ...scenario,
    measured: () => ({ [STILL_FIRING]: stillFiring }),
    act: async (platform, tell) => {
      await untilQuiet(platform);
      const way = platform.network.links.link('W->A');
      way.cut({ mode: 'reset' });
      await waitFor('the alert is heard', SEEN_WITHIN_MS, async () => await counts(platform, ALERTS.region));
      cutWebhooks(platform);
      way.heal();
      await waitFor('the alert ends', SEEN_WITHIN_MS, async () => !(await alertmanagerLists(platform, ALERTS.region)));
      await untilGroup(platform, 'all is well', SEEN_WITHIN_MS, ({ summary }) => summary.mood === 'quiet');
      stillFiring = (await counts(platform, ALERTS.region)) ? 1 : 0;
      tell(`${ALERTS.region} has ended, and failoverd was not told`);
      await after(platform, tell);
    },
  };
}

const NOT_TOLD = { kind: 'measured', name: STILL_FIRING, least: 1, most: 1 } as const;

export const lostResolvedLives = lostResolved(
  {
    name: 'lost-resolved',
    says: 'an alert says that A is gone, and its resolved never arrives: nothing happens',
    expects: 'nothing',
    wants: [NOT_TOLD, { kind: 'holds', row: 40, least: 0, most: 0 }],
    twin: { of: 'lost-resolved-region-dies', but: 'the region lives' },
  },
  async (platform) => await lookOn(platform, 5_000),
);

export const lostResolvedRegionDies = lostResolved(
  {
    name: 'lost-resolved-region-dies',
    says: 'as lost-resolved, but the region dies later: failover, as on any other day',
    expects: 'failover',
    wants: [NOT_TOLD, { kind: 'trigger', trigger: 'auto' }],
    twin: { of: 'lost-resolved', but: 'the region dies' },
  },
  async (platform, tell) => {
    await killRegion(platform, tell);
    await untilFailedOver(platform, tell);
  },
);

/** failoverd is away while an alert may begin to fire; it comes back, and no webhook ever reaches it again. */
async function beAway(platform: Platform, tell: (line: string) => void, fires: boolean): Promise<void> {
  await untilQuiet(platform);
  const { failoverd } = platform.daemons.running();
  await failoverd?.stop();
  tell('failoverd is away');
  if (fires) platform.monitoring.signals.set('corruption', 1);
  const wanted = fires ? ALERTS.corruption : ALERTS.watchdog;
  await waitFor(`${wanted} fires`, SEEN_WITHIN_MS, async () => await alertmanagerLists(platform, wanted));
  cutWebhooks(platform);
  if (failoverd !== undefined) await platform.daemons.restart();
  await untilQuiet(platform);
  tell('failoverd is back, and no webhook reaches it');
}

export const webhookDown: Scenario = {
  name: 'webhook-down',
  says: 'corruption is alerted while failoverd is away, and no webhook comes through: it asks, and holds the failover',
  expects: 'held',
  wants: [
    { kind: 'reports', reports: ['made'] },
    { kind: 'decided', decision: { row: 40, action: 'hold', inTheWay: 'row-10' } },
  ],
  twin: { of: 'webhook-down-nothing-fired', but: 'an alert fired meanwhile' },
  act: async (platform, tell) => {
    await beAway(platform, tell, true);
    await killRegion(platform, tell);
    await untilDecided(platform, tell, { row: 40, action: 'hold' });
  },
};

export const webhookDownNothingFired: Scenario = {
  name: 'webhook-down-nothing-fired',
  says: 'as webhook-down, but no alert fired meanwhile: failover',
  expects: 'failover',
  wants: [
    { kind: 'reports', reports: [] },
    { kind: 'trigger', trigger: 'auto' },
  ],
  twin: { of: 'webhook-down', but: 'no alert fired meanwhile' },
  act: async (platform, tell) => {
    await beAway(platform, tell, false);
    await killRegion(platform, tell);
    await untilFailedOver(platform, tell);
  },
};

/** A pod crashes, and its row's hold has begun. */
async function untilPodHeld(platform: Platform): Promise<void> {
  await untilQuiet(platform);
  platform.monitoring.signals.set('pods', 1);
  await untilGroup(platform, 'row 80 holds', SEEN_WITHIN_MS, ({ holds }) => holds.some(({ row }) => row === 80));
}

export const alertmanagerRestart: Scenario = {
  name: 'alertmanager-restart',
  says: `Alertmanager forgets what fires while row 80 holds, and is asked in ${REGION.w}: the hold goes on, people are told`,
  expects: 'nothing',
  wants: [
    { kind: 'holds', row: 80, least: 1, most: 1 },
    { kind: 'decided', decision: { row: 80, action: 'speak-up' } },
    { kind: 'paged', page: 'speak-up' },
  ],
  twin: { of: 'alertmanager-restart-heals', but: 'the pod was not healed: Alertmanager forgot' },
  act: async (platform, tell) => {
    await untilPodHeld(platform);
    const { prometheus, restartAlertmanager } = platform.monitoring.real();
    // Else Prometheus would tell the new one within a second, and there would be nothing to forget.
    prometheus.kill('SIGSTOP');
    await restartAlertmanager();
    await askNow(platform);
    tell('Alertmanager was killed and its data removed: it lists nothing');
    await untilDecided(platform, tell, { row: 80, action: 'speak-up' });
    prometheus.kill('SIGCONT');
  },
};

export const alertmanagerRestartHeals: Scenario = {
  name: 'alertmanager-restart-heals',
  says: 'as alertmanager-restart, but the pod is healed and Alertmanager says so: the hold ends, nobody is told',
  expects: 'nothing',
  wants: [
    { kind: 'holds', row: 80, least: 1, most: 1 },
    { kind: 'never-decided', decision: { row: 80 } },
    { kind: 'never-paged', page: 'speak-up' },
  ],
  twin: { of: 'alertmanager-restart', but: 'the pod was healed' },
  act: async (platform, tell) => {
    await untilPodHeld(platform);
    platform.monitoring.signals.set('pods', 0);
    const ended = await untilGroup(platform, 'the hold ends', SEEN_WITHIN_MS, ({ holds }) => holds.length === 0);
    tell(ended ? 'the pod is healed, and the hold has ended' : 'the hold goes on');
    await lookOn(platform, 5_000);
  },
};

/** A webhook that left alerts out makes failoverd ask Alertmanager at once. */
async function askNow({ daemons, outside }: Platform): Promise<void> {
  const answer = await fetch(daemons.webhook.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...bearerHeader(daemons.webhook) },
    body: JSON.stringify({
      receiver: 'failoverd',
      status: 'firing',
      alerts: [],
      groupLabels: {},
      commonLabels: {},
      commonAnnotations: {},
      externalURL: outside.pagerUrl,
      version: '4',
      groupKey: '{}',
      truncatedAlerts: 1,
    }),
    signal: AbortSignal.timeout(5_000),
  });
  await answer.body?.cancel();
  if (!answer.ok) throw new Error(`the webhook answered ${answer.status}`);
}
