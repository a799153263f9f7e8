import { type AliasTarget, type RecordSet, type RecordType, recordTypes } from '../dns/model.ts';
import { normaliseName } from '../dns/names.ts';
import { invalidInput } from './errors.ts';
import {
  booleanOf,
  childOf,
  elementsIn,
  integerOf,
  parseXml,
  requiredText,
  textOf,
  type XmlElement,
  type XmlNode,
} from './xml.ts';

/** Reading a change batch from its XML: what is wrong with the form of a request (InvalidInput), not with the zone. */

export type ChangeAction = 'CREATE' | 'DELETE' | 'UPSERT';

export interface Change {
  readonly action: ChangeAction;
  readonly set: RecordSet;
}

export interface ChangeBatch {
  readonly comment: string | null;
  readonly changes: readonly Change[];
}

const maxTtlSeconds = 2 ** 31 - 1;
const maxWeight = 255;
const maxSetIdentifier = 128;
/** Routing policies this lab doesn't play: said so, rather than accepted and ignored. */
const unsupported = ['GeoLocation', 'GeoProximityLocation', 'CidrRoutingConfig', 'TrafficPolicyInstanceId'] as const;

function describe(action: string, element: XmlElement): string {
  const identifier = textOf(element, 'SetIdentifier') ?? 'null';
  const [name, type] = [requiredText(element, 'Name'), requiredText(element, 'Type')];
  return `Change with [Action=${action}, Name=${name}, Type=${type}, SetIdentifier=${identifier}]`;
}

function oneOf<T extends string>(value: string, allowed: readonly T[], field: string): T {
  const found = allowed.find((candidate) => candidate === value);
  if (found === undefined) {
    throw invalidInput(
      `Invalid XML ; Value '${value}' is not facet-valid with respect to enumeration '[${allowed.join(', ')}]' for '${field}'.`,
    );
  }
  return found;
}

function inRange(value: number | null, max: number, field: string): number | null {
  if (value !== null && (value < 0 || value > max)) {
    throw invalidInput(`Invalid XML ; Value '${value}' is not facet-valid for '${field}': it must lie in 0..${max}.`);
  }
  return value;
}

function readAlias(element: XmlElement): AliasTarget | null {
  const alias = childOf(element, 'AliasTarget');
  if (alias === null) return null;
  const evaluateTargetHealth = booleanOf(alias, 'EvaluateTargetHealth');
  if (evaluateTargetHealth === null) throw invalidInput("Invalid XML ; element 'EvaluateTargetHealth' is expected.");
  return {
    hostedZoneId: requiredText(alias, 'HostedZoneId').replace(/^\/hostedzone\//, ''),
    dnsName: normaliseName(requiredText(alias, 'DNSName')),
    evaluateTargetHealth,
  };
}

/** Either an alias, or a TTL with at least one value. */
function readContent(action: string, element: XmlElement): Pick<RecordSet, 'ttlSeconds' | 'values' | 'alias'> {
  const alias = readAlias(element);
  const ttlSeconds = inRange(integerOf(element, 'TTL'), maxTtlSeconds, 'TTL');
  const records = elementsIn(element, 'ResourceRecords', 'ResourceRecord');
  if (records !== null && records.length === 0) {
    throw invalidInput(
      "Invalid XML ; The content of element 'ResourceRecords' is not complete: a 'ResourceRecord' is expected.",
    );
  }
  const choice = 'Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or TrafficPolicyInstanceId]';
  if (alias !== null && (ttlSeconds !== null || records !== null)) {
    throw invalidInput(`Invalid request: ${choice}, but found more than one in ${describe(action, element)}`);
  }
  if (alias !== null) return { alias };
  if (ttlSeconds === null || records === null) {
    throw invalidInput(`Invalid request: ${choice}, but found none in ${describe(action, element)}`);
  }
  return { ttlSeconds, values: records.map((record) => requiredText(record, 'Value')) };
}

type Routing = Pick<RecordSet, 'setIdentifier' | 'weight' | 'failover' | 'region' | 'multiValueAnswer'>;

/** A routing policy and a SetIdentifier come together or not at all, and a set has one policy. */
function readRouting(action: string, element: XmlElement): Routing {
  const setIdentifier = textOf(element, 'SetIdentifier');
  const weight = inRange(integerOf(element, 'Weight'), maxWeight, 'Weight');
  const failover = textOf(element, 'Failover');
  const region = textOf(element, 'Region');
  const multiValueAnswer = booleanOf(element, 'MultiValueAnswer');
  const policies = [weight, failover, region, multiValueAnswer].filter((policy) => policy !== null);
  if (setIdentifier !== null && (setIdentifier.length < 1 || setIdentifier.length > maxSetIdentifier)) {
    throw invalidInput(`Invalid XML ; the length of 'SetIdentifier' must lie in 1..${maxSetIdentifier}.`);
  }
  if (policies.length > 0 && setIdentifier === null) {
    throw invalidInput(`Invalid request: Missing field 'SetIdentifier' in ${describe(action, element)}`);
  }
  if (policies.length > 1 || (policies.length === 0 && setIdentifier !== null)) {
    const found = policies.length > 1 ? 'more than one' : 'none';
    throw invalidInput(
      `Invalid request: Expected exactly one of [Weight, Region, Failover, GeoLocation, or MultiValueAnswer], but found ${found} in ${describe(action, element)}`,
    );
  }
  return {
    ...(setIdentifier !== null && { setIdentifier }),
    ...(weight !== null && { weight }),
    ...(failover !== null && { failover: oneOf(failover, ['PRIMARY', 'SECONDARY'] as const, 'Failover') }),
    ...(region !== null && { region }),
    ...(multiValueAnswer !== null && { multiValueAnswer }),
  };
}

function readSet(action: string, element: XmlElement): RecordSet {
  const name = requiredText(element, 'Name');
  const type = oneOf<RecordType>(requiredText(element, 'Type'), recordTypes, 'Type');
  const foreign = unsupported.find((field) => element[field] !== undefined);
  if (foreign !== undefined) throw invalidInput(`Invalid request: the lab doesn't play '${foreign}'.`);
  const healthCheckId = textOf(element, 'HealthCheckId');
  return {
    name: normaliseName(name.trim()),
    type,
    ...readRouting(action, element),
    ...readContent(action, element),
    ...(healthCheckId !== null && { healthCheckId }),
  };
}

export function readChangeBatch(body: string): ChangeBatch {
  const batch = childOf(parseXml(body, 'ChangeResourceRecordSetsRequest'), 'ChangeBatch');
  const elements = batch === null ? null : elementsIn(batch, 'Changes', 'Change');
  if (batch === null || elements === null || elements.length === 0) {
    throw invalidInput("Invalid XML ; The content of element 'Changes' is not complete: a 'Change' is expected.");
  }
  const changes = elements.map((element): Change => {
    const action = oneOf<ChangeAction>(requiredText(element, 'Action'), ['CREATE', 'DELETE', 'UPSERT'], 'Action');
    const set = childOf(element, 'ResourceRecordSet');
    if (set === null) throw invalidInput("Invalid XML ; element 'ResourceRecordSet' is expected.");
    return { action, set: readSet(action, set) };
  });
  return { comment: textOf(batch, 'Comment'), changes };
}

/** A record set as ListResourceRecordSets returns it. */
export function renderSet(set: RecordSet): XmlNode {
  return {
    Name: set.name,
    Type: set.type,
    SetIdentifier: set.setIdentifier,
    Weight: set.weight,
    Region: set.region,
    Failover: set.failover,
    MultiValueAnswer: set.multiValueAnswer,
    TTL: set.ttlSeconds,
    ResourceRecords: set.values === undefined ? undefined : { ResourceRecord: set.values.map((Value) => ({ Value })) },
    AliasTarget:
      set.alias === undefined
        ? undefined
        : {
            HostedZoneId: set.alias.hostedZoneId,
            DNSName: set.alias.dnsName,
            EvaluateTargetHealth: set.alias.evaluateTargetHealth,
          },
    HealthCheckId: set.healthCheckId,
  };
}
