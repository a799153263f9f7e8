import { isIP } from 'node:net';
import { invalidInput } from './errors.ts';
import { isLoopback, type ProbeTarget } from './probe.ts';
import { booleanOf, integerOf, requiredText, textOf, textsIn, type XmlElement, type XmlNode } from './xml.ts';

/** A health check's settings: read from a request, written to a response, turned into what a checker contacts. */

export const healthCheckTypes = [
  'HTTP',
  'HTTPS',
  'HTTP_STR_MATCH',
  'HTTPS_STR_MATCH',
  'TCP',
  'CALCULATED',
  'RECOVERY_CONTROL',
] as const;
export type HealthCheckType = (typeof healthCheckTypes)[number];

export interface HealthCheckConfig {
  readonly type: HealthCheckType;
  readonly ipAddress: string | null;
  readonly port: number | null;
  readonly resourcePath: string | null;
  readonly fullyQualifiedDomainName: string | null;
  readonly searchString: string | null;
  readonly requestIntervalSeconds: number;
  readonly failureThreshold: number;
  readonly measureLatency: boolean;
  readonly inverted: boolean;
  readonly disabled: boolean;
  readonly healthThreshold: number | null;
  readonly childHealthChecks: readonly string[] | null;
  readonly enableSni: boolean | null;
  readonly regions: readonly string[] | null;
  readonly routingControlArn: string | null;
}

const defaultPorts: Readonly<Record<string, number>> = {
  HTTP: 80,
  HTTP_STR_MATCH: 80,
  HTTPS: 443,
  HTTPS_STR_MATCH: 443,
};

function checked(config: HealthCheckConfig): HealthCheckConfig {
  const { type, port, requestIntervalSeconds, failureThreshold } = config;
  const endpoint = type !== 'CALCULATED' && type !== 'RECOVERY_CONTROL';
  const wrong = (message: string) => invalidInput(`Invalid parameter : ${message}`);
  if (requestIntervalSeconds !== 10 && requestIntervalSeconds !== 30) throw wrong('RequestInterval must be 10 or 30');
  if (failureThreshold < 1 || failureThreshold > 10) throw wrong('FailureThreshold must lie in 1..10');
  if (config.ipAddress !== null && isIP(config.ipAddress) === 0) throw wrong('IPAddress is not an IP address');
  if (port !== null && (port < 1 || port > 65_535)) throw wrong('Port must lie in 1..65535');
  if (endpoint && config.ipAddress === null && config.fullyQualifiedDomainName === null) {
    throw wrong('an IPAddress or a FullyQualifiedDomainName is needed');
  }
  if (type === 'TCP' && port === null) throw wrong('Port is needed for a TCP health check');
  if (type.endsWith('_STR_MATCH') !== (config.searchString !== null)) {
    throw wrong('SearchString goes with HTTP_STR_MATCH and HTTPS_STR_MATCH, and they with it');
  }
  if (type === 'CALCULATED' && config.childHealthChecks === null) throw wrong('ChildHealthChecks are needed');
  return config;
}

export function readHealthCheckConfig(element: XmlElement): HealthCheckConfig {
  const typeText = requiredText(element, 'Type');
  const type = healthCheckTypes.find((known) => known === typeText);
  if (type === undefined) throw invalidInput(`Invalid XML ; '${typeText}' is not a health check type this lab knows.`);
  return checked({
    type,
    ipAddress: textOf(element, 'IPAddress'),
    port: integerOf(element, 'Port') ?? defaultPorts[type] ?? null,
    resourcePath: textOf(element, 'ResourcePath'),
    fullyQualifiedDomainName: textOf(element, 'FullyQualifiedDomainName'),
    searchString: textOf(element, 'SearchString'),
    requestIntervalSeconds: integerOf(element, 'RequestInterval') ?? 30,
    failureThreshold: integerOf(element, 'FailureThreshold') ?? 3,
    measureLatency: booleanOf(element, 'MeasureLatency') ?? false,
    inverted: booleanOf(element, 'Inverted') ?? false,
    disabled: booleanOf(element, 'Disabled') ?? false,
    healthThreshold: integerOf(element, 'HealthThreshold'),
    childHealthChecks: textsIn(element, 'ChildHealthChecks', 'ChildHealthCheck'),
    enableSni: booleanOf(element, 'EnableSNI'),
    regions: textsIn(element, 'Regions', 'Region'),
    routingControlArn: textOf(element, 'RoutingControlArn'),
  });
}

/** An update carries only what changes; ResetElements puts a few back to nothing. Type and interval never change. */
export function updateHealthCheckConfig(config: HealthCheckConfig, element: XmlElement): HealthCheckConfig {
  const reset = textsIn(element, 'ResetElements', 'ResettableElementName') ?? [];
  const kept = (name: string, current: string | null) =>
    textOf(element, name) ?? (reset.includes(name) ? null : current);
  const children = textsIn(element, 'ChildHealthChecks', 'ChildHealthCheck');
  return checked({
    ...config,
    ipAddress: textOf(element, 'IPAddress') ?? config.ipAddress,
    port: integerOf(element, 'Port') ?? config.port,
    resourcePath: kept('ResourcePath', config.resourcePath),
    fullyQualifiedDomainName: kept('FullyQualifiedDomainName', config.fullyQualifiedDomainName),
    searchString: textOf(element, 'SearchString') ?? config.searchString,
    failureThreshold: integerOf(element, 'FailureThreshold') ?? config.failureThreshold,
    inverted: booleanOf(element, 'Inverted') ?? config.inverted,
    disabled: booleanOf(element, 'Disabled') ?? config.disabled,
    healthThreshold: integerOf(element, 'HealthThreshold') ?? config.healthThreshold,
    childHealthChecks: children ?? (reset.includes('ChildHealthChecks') ? [] : config.childHealthChecks),
    enableSni: booleanOf(element, 'EnableSNI') ?? config.enableSni,
    regions: textsIn(element, 'Regions', 'Region') ?? (reset.includes('Regions') ? null : config.regions),
  });
}

export function renderHealthCheckConfig(config: HealthCheckConfig): XmlNode {
  const endpoint = config.type !== 'CALCULATED' && config.type !== 'RECOVERY_CONTROL';
  return {
    IPAddress: config.ipAddress ?? undefined,
    Port: config.port ?? undefined,
    Type: config.type,
    ResourcePath: config.resourcePath ?? undefined,
    FullyQualifiedDomainName: config.fullyQualifiedDomainName ?? undefined,
    SearchString: config.searchString ?? undefined,
    RequestInterval: endpoint ? config.requestIntervalSeconds : undefined,
    FailureThreshold: endpoint ? config.failureThreshold : undefined,
    MeasureLatency: endpoint ? config.measureLatency : undefined,
    Inverted: config.inverted,
    Disabled: config.disabled,
    HealthThreshold: config.healthThreshold ?? undefined,
    ChildHealthChecks:
      config.childHealthChecks === null ? undefined : { ChildHealthCheck: [...config.childHealthChecks] },
    EnableSNI: config.enableSni ?? undefined,
    Regions: config.regions === null ? undefined : { Region: [...config.regions] },
    RoutingControlArn: config.routingControlArn ?? undefined,
  };
}

/** `null`: nothing a checker here may contact, so that the check stays without data. */
export function probeTargetOf(config: HealthCheckConfig): ProbeTarget | null {
  if (config.type === 'CALCULATED' || config.type === 'RECOVERY_CONTROL' || config.port === null) return null;
  const address = config.ipAddress ?? config.fullyQualifiedDomainName ?? '';
  if (!isLoopback(address)) return null;
  const path = config.resourcePath ?? '/';
  return {
    kind: config.type === 'TCP' ? 'tcp' : config.type.startsWith('HTTPS') ? 'https' : 'http',
    address,
    port: config.port,
    path: path.startsWith('/') ? path : `/${path}`,
    hostHeader: config.fullyQualifiedDomainName,
    searchString: config.searchString,
  };
}
