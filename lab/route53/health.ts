import { ApiError } from './errors.ts';
import {
  type HealthCheckConfig,
  probeTargetOf,
  readHealthCheckConfig,
  renderHealthCheckConfig,
  updateHealthCheckConfig,
} from './health-config.ts';
import { type ProbeOutcome, probeOnce } from './probe.ts';
import { childOf, integerOf, parseXml, requiredText, type XmlNode } from './xml.ts';

/**
 * Health checks that really check: a checker contacts the endpoint at the check's interval, and the status turns after
 * FailureThreshold outcomes in a row, either way. Without data a check counts as healthy, a disabled one too; Inverted
 * turns the result around, disabled or not: these are Route 53's rules, and what a data-plane switch relies on.
 */

export interface HealthChecks {
  create(body: string): HealthCheck;
  get(id: string): HealthCheck;
  update(id: string, body: string): HealthCheck;
  remove(id: string): void;
  list(): readonly HealthCheck[];
  isHealthy(id: string): boolean;
  /** The lab's hand on the outcome: `null` gives it back to the checker. Inverted and Disabled still apply. */
  override(id: string, healthy: boolean | null): void;
  status(id: string): XmlNode;
  close(): void;
}

export interface HealthCheck {
  readonly id: string;
  readonly callerReference: string;
  readonly config: HealthCheckConfig;
  readonly version: number;
}

interface Checked {
  check: HealthCheck;
  /** What the checkers hold of the endpoint; `null` = no data yet. */
  observed: boolean | null;
  overridden: boolean | null;
  contrary: number;
  last: (ProbeOutcome & { readonly atMs: number }) | null;
  timer: NodeJS.Timeout | null;
}

export interface HealthOptions {
  readonly newId: () => string;
  /** Instead of each check's own RequestInterval of 10 or 30 s. */
  readonly intervalMs: number | null;
}

const maxCalculatedDepth = 5;

export function createHealthChecks(options: HealthOptions): HealthChecks {
  const checks = new Map<string, Checked>();
  /** References outlive their checks: one that was used is never good for another. */
  const references = new Map<string, string>();
  const closing = new AbortController();

  function find(id: string): Checked {
    const found = checks.get(id);
    if (found === undefined) throw new ApiError('NoSuchHealthCheck', `A health check with id ${id} does not exist.`);
    return found;
  }

  function absorb(entry: Checked, outcome: ProbeOutcome): void {
    entry.last = { ...outcome, atMs: Date.now() };
    entry.contrary = outcome.healthy === (entry.observed ?? true) ? 0 : entry.contrary + 1;
    if (outcome.healthy && entry.observed === null) entry.observed = true;
    if (entry.contrary < entry.check.config.failureThreshold) return;
    entry.observed = outcome.healthy;
    entry.contrary = 0;
  }

  function arm(entry: Checked): void {
    if (entry.timer !== null) clearTimeout(entry.timer);
    const { config } = entry.check;
    if (closing.signal.aborted || config.disabled || probeTargetOf(config) === null) return;
    entry.timer = setTimeout(() => void check(entry), options.intervalMs ?? config.requestIntervalSeconds * 1000);
  }

  async function check(entry: Checked): Promise<void> {
    const { config, id, version } = entry.check;
    const target = probeTargetOf(config);
    if (target === null) return;
    const outcome = await probeOnce(target, closing.signal);
    // The check may have been changed, removed or closed while this outcome was on its way: then it says nothing.
    if (checks.get(id) !== entry || entry.check.version !== version || closing.signal.aborted) return;
    absorb(entry, outcome);
    arm(entry);
  }

  function healthyAt(id: string, depth: number): boolean {
    const entry = checks.get(id);
    // Route 53 promises nothing for a check that is gone; the lab keeps answering.
    if (entry === undefined) return true;
    const { config } = entry.check;
    return config.inverted !== rawHealth(entry, depth);
  }

  function rawHealth(entry: Checked, depth: number): boolean {
    const { config } = entry.check;
    if (config.disabled) return true;
    if (entry.overridden !== null) return entry.overridden;
    if (config.type !== 'CALCULATED' || depth >= maxCalculatedDepth) return entry.observed ?? true;
    const healthy = (config.childHealthChecks ?? []).filter((child) => healthyAt(child, depth + 1)).length;
    return healthy >= (config.healthThreshold ?? 0);
  }

  function create(body: string): HealthCheck {
    const request = parseXml(body, 'CreateHealthCheckRequest');
    const callerReference = requiredText(request, 'CallerReference');
    const config = readHealthCheckConfig(childOf(request, 'HealthCheckConfig') ?? {});
    const usedFor = references.get(callerReference);
    const former = usedFor === undefined ? undefined : checks.get(usedFor)?.check;
    if (former !== undefined && JSON.stringify(former.config) === JSON.stringify(config)) return former;
    if (usedFor !== undefined) {
      throw new ApiError(
        'HealthCheckAlreadyExists',
        `A health check with reference ${callerReference} already exists.`,
      );
    }
    const check = { id: options.newId(), callerReference, config, version: 1 };
    const entry: Checked = { check, observed: null, overridden: null, contrary: 0, last: null, timer: null };
    references.set(callerReference, check.id);
    checks.set(check.id, entry);
    arm(entry);
    return check;
  }

  function update(id: string, body: string): HealthCheck {
    const request = parseXml(body, 'UpdateHealthCheckRequest');
    const entry = find(id);
    const version = integerOf(request, 'HealthCheckVersion');
    if (version !== null && version !== entry.check.version) {
      throw new ApiError(
        'HealthCheckVersionMismatch',
        `The value of HealthCheckVersion in the request, ${version}, does not match the version of the health check, ${entry.check.version}.`,
      );
    }
    const config = updateHealthCheckConfig(entry.check.config, request);
    entry.check = { ...entry.check, config, version: entry.check.version + 1 };
    arm(entry);
    return entry.check;
  }

  function status(id: string): XmlNode {
    const { last } = find(id);
    if (last === null) return { HealthCheckObservations: {} };
    const report = { Status: last.status, CheckedTime: new Date(last.atMs).toISOString() };
    const observation = { Region: 'us-east-1', IPAddress: '127.0.0.1', StatusReport: report };
    return { HealthCheckObservations: { HealthCheckObservation: [observation] } };
  }

  return {
    create,
    update,
    status,
    get: (id) => find(id).check,
    remove(id) {
      const entry = find(id);
      if (entry.timer !== null) clearTimeout(entry.timer);
      checks.delete(id);
    },
    list: () => [...checks.values()].map(({ check }) => check),
    isHealthy: (id) => healthyAt(id, 0),
    override(id, healthy) {
      find(id).overridden = healthy;
    },
    close() {
      closing.abort();
      for (const { timer } of checks.values()) if (timer !== null) clearTimeout(timer);
    },
  };
}

export function renderHealthCheck(check: HealthCheck): XmlNode {
  return {
    Id: check.id,
    CallerReference: check.callerReference,
    HealthCheckConfig: renderHealthCheckConfig(check.config),
    HealthCheckVersion: check.version,
  };
}
