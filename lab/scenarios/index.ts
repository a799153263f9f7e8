import { badStandby } from './bad-standby.ts';
import { cutOffRegion, cutOffRegionNotCut, isolatedVantage, isolatedVantageNot } from './isolation.ts';
import { regionBlip, regionBlipStaysDown } from './region-blip.ts';
import { regionDownAuto, regionDownGated } from './region-down.ts';
import type { Scenario } from './scenario.ts';
import { tls, tlsForeignAuthority } from './tls.ts';

export const SCENARIOS: readonly Scenario[] = [
  regionDownAuto,
  regionDownGated,
  regionBlip,
  regionBlipStaysDown,
  isolatedVantage,
  isolatedVantageNot,
  badStandby,
  cutOffRegion,
  cutOffRegionNotCut,
  tls,
  tlsForeignAuthority,
];

export { regionDownAuto };
