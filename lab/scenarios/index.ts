import { alertStorm, alertStormCalm } from './alert-storm.ts';
import { badStandby } from './bad-standby.ts';
import { breakGlass, breakGlassUnbroken } from './break-glass.ts';
import { corruptionVeto, corruptionVetoCleared } from './corruption.ts';
import { grayFailure, grayFailureReplicationStops } from './gray-failure.ts';
import { postmasterKilled, postmasterKilledRelease } from './guarded-crash.ts';
import {
  daemonFrozen,
  guardAndDeadManFrozen,
  guardFrozen,
  guardFrozenShortly,
  postgresFrozen,
} from './guarded-frozen.ts';
import { backendOutlivesPostmaster } from './guarded-outlived.ts';
import {
  guardedRegionDown,
  partition43s,
  partition43sServe,
  partitionOneWay,
  partitionPrimary,
} from './guarded-partition.ts';
import { standbyRegionLost, storeDown } from './guarded-store.ts';
import { cutOffRegion, cutOffRegionNotCut, isolatedVantage, isolatedVantageNot } from './isolation.ts';
import {
  alertmanagerRestart,
  alertmanagerRestartHeals,
  lostResolvedLives,
  lostResolvedRegionDies,
  webhookDown,
  webhookDownNothingFired,
} from './lost-alerts.ts';
import { monitoringBlind, monitoringThere, watchdogLost } from './monitoring.ts';
import { patroniManaged, patroniOldSideReturns } from './patroni.ts';
import {
  maintenanceWindow,
  maintenanceWindowRegionDies,
  postgresDownLocalRestart,
  postgresDownStaysDown,
} from './postgres-down.ts';
import { regionBlip, regionBlipStaysDown } from './region-blip.ts';
import { regionDownAuto, regionDownGated } from './region-down.ts';
import { reloadBadConfig, reloadGoodConfig } from './reload.ts';
import { lossWithinBracket, receiveGap, receiveGapSmall, replicationLag, replicationLagNone } from './replication.ts';
import type { Scenario } from './scenario.ts';
import { tls, tlsForeignAuthority } from './tls.ts';
import { podFailure, podFailureRegionDies } from './workloads.ts';

export const SCENARIOS: readonly Scenario[] = [
  regionDownAuto,
  regionDownGated,
  breakGlass,
  breakGlassUnbroken,
  regionBlip,
  regionBlipStaysDown,
  isolatedVantage,
  isolatedVantageNot,
  badStandby,
  cutOffRegion,
  cutOffRegionNotCut,
  grayFailure,
  grayFailureReplicationStops,
  replicationLag,
  replicationLagNone,
  receiveGap,
  receiveGapSmall,
  lossWithinBracket,
  corruptionVeto,
  corruptionVetoCleared,
  postgresDownLocalRestart,
  postgresDownStaysDown,
  maintenanceWindow,
  maintenanceWindowRegionDies,
  podFailure,
  podFailureRegionDies,
  monitoringBlind,
  watchdogLost,
  monitoringThere,
  alertStorm,
  alertStormCalm,
  lostResolvedLives,
  lostResolvedRegionDies,
  webhookDown,
  webhookDownNothingFired,
  alertmanagerRestart,
  alertmanagerRestartHeals,
  reloadBadConfig,
  reloadGoodConfig,
  tls,
  tlsForeignAuthority,
  patroniManaged,
  patroniOldSideReturns,
  guardedRegionDown,
  partitionPrimary,
  partitionOneWay,
  partition43s,
  partition43sServe,
  storeDown,
  standbyRegionLost,
  postmasterKilled,
  postmasterKilledRelease,
  backendOutlivesPostmaster,
  guardFrozenShortly,
  guardFrozen,
  guardAndDeadManFrozen,
  postgresFrozen,
  daemonFrozen,
];

export { regionDownAuto };
