/**
 * Asks everything that a config names, once, with the daemon's own probes, and lets the daemon's own judgement say what
 * follows. Nothing is written anywhere: probes write no canary, the pager is connected to and not posted to.
 */
import { resolve } from 'node:path';
import { createRoute53 } from '../../actions/route53.ts';
import { type Listing, reconcile } from '../../daemon/reconcile.ts';
import { counted } from '../../daemon/text.ts';
import { initialState, turn } from '../../engine/core.ts';
import type { Config } from '../../model/config.ts';
import type { Observation, ProbeErrorCode } from '../../model/evidence.ts';
import type { Input, State } from '../../model/loop.ts';
import type { GroupSettings } from '../../model/settings.ts';
import { viewOf } from '../../policies/view.ts';
import { askAlertmanager } from '../../probes/alertmanager.ts';
import { askTarget, createProbes, observationOf } from '../../probes/map.ts';
import { metricTargetsOf } from '../../probes/metric-targets.ts';
import { surveyPostgres } from '../../probes/postgres-survey.ts';
import { askPrometheus } from '../../probes/prometheus.ts';
import type { PostgresTarget, Target } from '../../probes/target.ts';
import { addressText } from '../../probes/target.ts';
import { targetsOf } from '../../probes/targets.ts';
import { systemClock } from '../../runtime/clock.ts';
import type { Loaded } from '../../runtime/config/load.ts';
import { type KeyPath, type Problem, pathText, problemText } from '../../runtime/config/problem.ts';
import { resolveSecrets, type SecretSources, type Secrets } from '../../runtime/config/secrets.ts';
import { authorizationBy, credentialsOf } from '../../runtime/http-credentials.ts';
import { type Redact, redacting } from '../../runtime/redact.ts';
import { systemTimers } from '../../runtime/timers.ts';
import { createCertificates, type FindCertificates } from '../../runtime/tls.ts';
import { probeContext, within } from '../asking.ts';
import { leaseReport } from '../lease-report.ts';
import { grantsFor, postgresRemedy } from '../remedies.ts';
import { factLines } from './facts.ts';
import { examineManagers } from './managers.ts';
import { type Asked, type DoctorReport, type Finding, finding, inOrder } from './report.ts';
import { rowFindings, rowLines } from './rows.ts';
import { type Surveyed, settingFindings } from './settings.ts';
import { examineStateDir } from './state-dir.ts';

/** For one server that is asked more than a probe asks. */
const ASK_MS = 10_000;
const CONNECT_MS = 3_000;
const OWN_VANTAGE = 'daemon';
/** Positions, windows of loss and the age of alerts are told by the servers' clocks. */
const CLOCK_OFF_MS = 1_000;

export type Examiner = {
  readonly loaded: Loaded;
  readonly vantage: string;
  readonly sources: SecretSources;
};

type Part = { readonly asked: readonly Asked[]; readonly findings: readonly Finding[] };

/** Never rejects for what a server or a file does. */
export async function examine({ loaded, vantage, sources }: Examiner): Promise<DoctorReport> {
  const { config, settings } = loaded;
  const { secrets, problems } = await obtainable(loaded, sources);
  const at = systemClock.wall();
  const redact = redacting(secrets.all());
  const usable = withoutBroken(config, problems);
  const certificates = createCertificates(secrets);
  const targets: readonly Target[] = [
    ...targetsOf(usable, secrets, vantage, { canary: false, certificates }),
    // Prometheus is asked by the daemon alone.
    ...(vantage === OWN_VANTAGE ? metricTargetsOf(usable, secrets, certificates) : []),
  ];
  const [sights, surveys, managers, stateDir, listing, monitoring, pager, zones] = await Promise.all([
    probeAll(targets, vantage, redact),
    surveyAll(
      targets.filter((target) => target.kind === 'postgres'),
      vantage,
      redact,
    ),
    examineManagers(usable, { secrets, certificates, redact }),
    examineStateDir(resolve(loaded.folder, config.daemon.stateDir)),
    askAlertmanagers(usable, secrets, certificates, redact),
    askPrometheusServers(usable, secrets, certificates, redact),
    connectPager(config, vantage),
    readZones(usable, secrets, redact),
  ]);
  const state = stateOf(loaded, sights.observations, listing.listings, at);
  const views = Object.keys(settings.groups).map((group) => viewOf(state, group));
  const rows = views.flatMap(rowLines);
  const findings = [
    ...problems.map((problem) => finding('stop', `secret ${problem.path}`, problem.message, problem.remedy)),
    ...sights.findings,
    ...surveys.findings,
    ...managers,
    ...stateDir.findings,
    ...listing.findings,
    ...monitoring.findings,
    ...pager.findings,
    ...zones.findings,
    ...witnessNotes(config, vantage),
    ...Object.values(settings.groups).flatMap(leaseFindings),
    ...loaded.notSupported.map(({ path, what }) => finding('note', path, `${what}: declared; not supported yet`)),
    ...loaded.warnings.map((warning) => finding('warn', warning.path, warning.message, warning.remedy)),
    ...rowFindings(rows, new Set(Object.keys(config.groups).filter((group) => config.groups[group]?.matrix == null))),
  ];
  return {
    ok: !findings.some(({ level }) => level === 'stop'),
    file: loaded.file,
    vantage,
    region: config.vantages[vantage]?.region ?? '',
    at,
    asked: [
      ...sights.asked,
      ...listing.asked,
      ...monitoring.asked,
      ...pager.asked,
      ...zones.asked,
      stateDir.asked,
      secretsAsked(secrets, problems),
    ],
    facts: views.flatMap((view) => factLines(view, sights.observations, vantage)),
    rows,
    leases: Object.values(settings.groups).flatMap((group) => {
      const lease = leaseReport(group);
      return lease === null ? [] : [{ group: group.id, lease }];
    }),
    findings: inOrder(findings),
  };
}

/** What a lease rests on and can't see to itself (safety.md, "The dead-man"). */
function leaseFindings({ id, lease, fence }: GroupSettings): Finding[] {
  if (lease === null || lease.expiredIsNoProof.length > 0 || fence === 'command') return [];
  return [
    finding(
      'warn',
      `lease of ${id}`,
      'it counts on clocks that go on: a virtual machine that is paused, saved or moved stops with its clocks and goes on writing when it comes back, whatever its lease was',
      'add a fence by driver: command that reads the machine back as off, or keep its hypervisor from pausing it',
    ),
  ];
}

/** The secrets that can be had, and what is wrong with the others. */
async function obtainable(
  loaded: Loaded,
  sources: SecretSources,
): Promise<{ readonly secrets: Secrets; readonly problems: readonly Problem[] }> {
  const problems: Problem[] = [];
  // Each round names more that can't be had, and tries without them; a round that finds nothing new would be a defect.
  for (;;) {
    const without = new Set(problems.map(({ path }) => path));
    const result = await resolveSecrets(loaded, sources, (path) => !without.has(pathText(path)));
    if (result.kind === 'resolved') return { secrets: result.secrets, problems };
    const fresh = result.problems.filter(({ path }) => !without.has(path));
    if (fresh.length === 0)
      throw new Error(`secrets can't be sorted out: ${result.problems.map(problemText).join('; ')}`);
    problems.push(...fresh);
  }
}

const secretsAsked = (secrets: Secrets, problems: readonly Problem[]): Asked => ({
  what: 'secrets',
  verdict: problems.length === 0 ? 'ok' : 'bad',
  says: `${secrets.all().length} fetched, ${problems.length} not to be had`,
  tookMs: null,
});

/** Whether anything below this place of the config can't be had. */
const broken = (problems: readonly Problem[], place: KeyPath): boolean => {
  const text = pathText(place);
  return problems.some(({ path }) => path === text || path.startsWith(`${text}.`) || path.startsWith(`${text}[`));
};

/** The config less what can't be asked, since a secret or a certificate of it can't be had. */
function withoutBroken(config: Config, problems: readonly Problem[]): Config {
  // Who promotes a PostgreSQL is no part of how it is probed.
  const probed = problems.filter(({ path }) => !/^groups\.[^.]+\.components\.[^.]+\.(?:guards|patroni)\./.test(path));
  const groups = Object.entries(config.groups).map(([id, group]) => {
    const components = Object.entries(group.components).filter(
      ([component]) => !broken(probed, ['groups', id, 'components', component]),
    );
    return [id, { ...group, components: Object.fromEntries(components) }] as const;
  });
  const prometheus = Object.entries(config.prometheus ?? {}).filter(
    ([name]) => !broken(problems, ['prometheus', name]),
  );
  const { alertmanager, ...rest } = config;
  const asked = ['apiBearer', 'apiBasic', 'apiTls'].some((key) => broken(problems, ['alertmanager', key]));
  return {
    ...rest,
    ...(alertmanager === undefined || asked ? {} : { alertmanager }),
    prometheus: Object.fromEntries(prometheus),
    groups: Object.fromEntries(groups),
  };
}

const nameOf = (target: Target): string => {
  switch (target.kind) {
    case 'control':
      return `control target ${target.target}`;
    case 'dns':
      return `${target.group}/${target.component} ${target.name} at ${target.resolver}`;
    case 'http':
      return `${target.group}/${target.component} ${target.region} ${target.url}`;
    case 'postgres':
    case 'readiness':
    case 'tcp':
      return `${target.group}/${target.component} ${target.region} ${addressText(target)}`;
    case 'metric':
      return `${target.group}/metrics.${target.fact} at ${redactedUrl(target.url)}`;
    case 'prometheus':
    case 'alertmanager':
      return `${target.kind} ${target.server} ${redactedUrl(target.url)}`;
    default:
      return target satisfies never;
  }
};

/** What stands before an @ and after a ? may be a secret. */
const redactedUrl = (url: URL): string => `${url.protocol}//${url.host}${url.pathname}`;

async function probeAll(
  targets: readonly Target[],
  vantage: string,
  redact: Redact,
): Promise<Part & { readonly observations: readonly Observation[] }> {
  const probes = createProbes();
  try {
    const seen = await Promise.all(
      targets.map(async (target) => {
        const lines: string[] = [];
        const startedMono = systemClock.mono();
        const asked = await within(target.timeoutMs, (signal) =>
          askTarget(
            probes.map,
            target,
            probeContext(vantage, signal, (line) => lines.push(redact(line))),
          ),
        );
        const durationMs = systemClock.mono() - startedMono;
        const about = { vantage, at: systemClock.wall(), durationMs, log: lines, redact };
        return { target, observation: observationOf(asked, about) };
      }),
    );
    return {
      observations: seen.map(({ observation }) => observation),
      asked: seen.map(({ target, observation }) => ({
        what: nameOf(target),
        verdict: observation.verdict,
        says: saysOf(observation),
        tookMs: Math.round(observation.durationMs),
      })),
      findings: probeFindings(seen),
    };
  } finally {
    await probes.close();
  }
}

function saysOf(observation: Observation): string {
  if (observation.message !== null) return observation.message;
  if (observation.kind === 'postgres' && observation.facts !== null) {
    const { inRecovery, timeline } = observation.facts;
    return `${inRecovery === null ? 'does not say which side it is' : inRecovery ? 'standby' : 'primary'}, timeline ${timeline ?? 'not known'}`;
  }
  if (observation.kind === 'metric' && observation.facts !== null) return `it is ${observation.facts.value}`;
  if (observation.kind === 'dns') return observation.facts.answers.join(', ');
  if (observation.kind === 'http') return `answered ${observation.facts.status}`;
  return observation.reached;
}

type Seen = { readonly target: Target; readonly observation: Observation };

function probeFindings(seen: readonly Seen[]): Finding[] {
  const controls = seen.filter(({ target }) => target.kind === 'control');
  const isolated = controls.length > 0 && controls.every(({ observation }) => observation.verdict !== 'ok');
  return seen.flatMap(({ target, observation }): Finding[] => {
    const { verdict, code, message } = observation;
    if (verdict === 'ok' || code === null) return [];
    const failure = { code, message: message ?? code };
    switch (target.kind) {
      case 'control':
        return [
          finding(
            isolated ? 'stop' : 'warn',
            nameOf(target),
            isolated
              ? `no control target answers, so this vantage counts for nothing: ${failure.message}`
              : failure.message,
            'name an address that always answers from here and has nothing to do with the platform',
          ),
        ];
      case 'postgres': {
        const { remedy, sql } = postgresRemedy(failure, target);
        return [finding('stop', nameOf(target), failure.message, remedy, sql)];
      }
      case 'http':
        return [
          finding('stop', nameOf(target), failure.message, 'correct the URL, or expectStatus if that answer is well'),
        ];
      case 'tcp':
        return [
          finding('stop', nameOf(target), failure.message, 'correct the address, its tls, or what stands between'),
        ];
      case 'dns':
        return [
          finding(
            'stop',
            nameOf(target),
            failure.message,
            'correct the name or the resolver; 53/udp must be let through',
          ),
        ];
      case 'metric':
        return [
          finding(
            'warn',
            nameOf(target),
            `it stays unknown: ${failure.message}`,
            METRIC_REMEDIES[code] ?? METRIC_REMEDY,
          ),
        ];
      case 'readiness':
        // What keeps it from being asked at all is told of the server itself.
        return code === 'denied'
          ? [
              finding(
                'warn',
                nameOf(target),
                failure.message,
                'grant connect on each database, and let it in by pg_hba.conf',
              ),
            ]
          : [];
      case 'prometheus':
      case 'alertmanager':
        return [finding('stop', nameOf(target), failure.message, METRIC_REMEDY)];
      default:
        return target satisfies never;
    }
  });
}

const METRIC_REMEDY = 'correct prometheus.NAME.url, or its credentials';
const METRIC_REMEDIES: Readonly<Partial<Record<ProbeErrorCode, string>>> = {
  query: 'correct the expression, and try it in Prometheus first',
  several: 'make one value of it: max(...), or a label that tells them apart',
  empty: 'no such series is there now: correct the metric and its labels, or add `or vector(0)` where absence means 0',
  'no-number': 'make a number of it',
  stale: 'raise `fresh` if its exporter lags, or mend what scrapes it',
};

/** Settings, grants and clocks of every PostgreSQL; primary and standby by what they say of themselves. */
async function surveyAll(
  targets: readonly PostgresTarget[],
  vantage: string,
  redact: Redact,
): Promise<Pick<Part, 'findings'>> {
  const surveyed = await Promise.all(
    targets.map(async (target) => {
      const result = await within(ASK_MS, (signal) =>
        surveyPostgres(
          target,
          probeContext(vantage, signal, () => undefined),
        ),
      );
      return { target, result };
    }),
  );
  const findings: Finding[] = [];
  const components = Map.groupBy(surveyed, ({ target }) => `${target.group}/${target.component}`);
  for (const sides of components.values()) {
    let primary: Surveyed | null = null;
    let standby: Surveyed | null = null;
    for (const { target, result } of sides) {
      const about = nameOf(target);
      if (result.kind === 'failed') {
        // That it can't be asked at all, its probe has told.
        if (result.reached === 'read')
          findings.push(finding('warn', about, `its settings can't be read: ${redact(result.failure.message)}`));
        continue;
      }
      const { survey } = result;
      if (survey.facts.inRecovery === true) standby = { about, survey };
      else primary = { about, survey };
      findings.push(
        ...grantFindings(about, target, survey.missingGrants, survey.role.monitor),
        ...clockFindings(about, survey),
      );
    }
    findings.push(...settingFindings(primary, standby));
  }
  return { findings };
}

function grantFindings(
  about: string,
  { user }: PostgresTarget,
  missing: readonly string[],
  monitor: boolean,
): Finding[] {
  if (missing.length > 0)
    return [
      finding(
        'stop',
        about,
        `${user} may not use ${missing.join(', ')}: what they tell stays unknown`,
        'grant it on the primary; the standby gets it by replication',
        grantsFor(missing, user),
      ),
    ];
  if (monitor) return [];
  return [
    finding('warn', about, `${user} is no member of pg_monitor`, 'grant it', grantsFor(['pg_read_all_stats'], user)),
  ];
}

function clockFindings(
  about: string,
  { clockOffsetMs, clockUncertaintyMs }: { readonly clockOffsetMs: number | null; readonly clockUncertaintyMs: number },
): Finding[] {
  if (clockOffsetMs === null) return [];
  const leastMs = Math.abs(clockOffsetMs) - clockUncertaintyMs;
  if (leastMs <= CLOCK_OFF_MS) return [];
  const says = `its clock is ${Math.round(Math.abs(clockOffsetMs))} ms ${clockOffsetMs > 0 ? 'ahead of' : 'behind'} ours (± ${Math.round(clockUncertaintyMs)} ms)`;
  return [finding('warn', about, says, 'let both machines keep time by NTP')];
}

async function askAlertmanagers(
  config: Config,
  secrets: Secrets,
  find: FindCertificates,
  redact: Redact,
): Promise<Part & { readonly listings: readonly Listing[] }> {
  const { alertmanager } = config;
  if (alertmanager?.apis === undefined) return { asked: [], findings: [], listings: [] };
  const credentials = credentialsOf(alertmanager.apiBearer, alertmanager.apiBasic, (one: string) =>
    secrets.of(one).reveal(),
  );
  const certificates = find(alertmanager.apiTls);
  const answers = await Promise.all(
    alertmanager.apis.map(async (api) => {
      const startedMono = systemClock.mono();
      const answer = await within(ASK_MS, (signal) =>
        askAlertmanager({ url: new URL(api), credentials, certificates }, signal),
      );
      return { what: `Alertmanager ${redact(api)}`, answer, tookMs: Math.round(systemClock.mono() - startedMono) };
    }),
  );
  return {
    listings: answers.flatMap(({ answer }) => (answer.kind === 'answered' ? [answer] : [])),
    asked: answers.map(({ what, answer, tookMs }) =>
      answer.kind === 'answered'
        ? { what, verdict: 'ok', says: `lists ${counted(answer.alerts.length, 'alert')}`, tookMs }
        : { what, verdict: 'bad', says: redact(answer.failure.message), tookMs },
    ),
    findings: answers.flatMap(({ what, answer }) =>
      answer.kind === 'answered'
        ? []
        : [finding('stop', what, redact(answer.failure.message), 'correct alertmanager.apis, or its credentials')],
    ),
  };
}

/** Every Prometheus that is named, also where no fact asks it yet. */
async function askPrometheusServers(
  { prometheus = {} }: Config,
  secrets: Secrets,
  certificates: FindCertificates,
  redact: Redact,
): Promise<Part> {
  const servers = Object.entries(prometheus).flatMap(([name, { url, replicas = [], bearer, basic, tls }]) =>
    [url, ...replicas].map((each) => ({
      what: `Prometheus ${name} ${redact(each)}`,
      url: new URL(each),
      authorization: authorizationBy(bearer, basic, (one) => secrets.of(one).reveal()),
      certificates: certificates(tls),
    })),
  );
  const parts = await Promise.all(
    servers.map(async ({ what, ...api }): Promise<Part> => {
      const startedMono = systemClock.mono();
      const answer = await within(ASK_MS, (signal) =>
        askPrometheus(api, { promql: 'vector(1)', at: null }, { signal, log: () => undefined }),
      );
      const tookMs = Math.round(systemClock.mono() - startedMono);
      if (answer.kind === 'value')
        return { asked: [{ what, verdict: 'ok', says: 'answers queries', tookMs }], findings: [] };
      const says = redact(answer.failure.message);
      return {
        asked: [{ what, verdict: 'bad', says, tookMs }],
        findings: [finding('stop', what, says, METRIC_REMEDY)],
      };
    }),
  );
  return { asked: parts.flatMap(({ asked }) => asked), findings: parts.flatMap(({ findings }) => findings) };
}

/** Connects and hangs up: a page that nobody needs wakes people. */
async function connectPager({ pager }: Config, vantage: string): Promise<Part> {
  if (pager === undefined)
    return {
      asked: [],
      findings: [finding('note', 'pager', 'the config names none: what people are told stays on the status page')],
    };
  const url = new URL(pager.url);
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
  const target = `tcp://${url.hostname}:${port}`;
  const { map } = createProbes();
  const startedMono = systemClock.mono();
  const answer = await within(CONNECT_MS, (signal) =>
    map.control(
      { kind: 'control', key: target, target, intervalMs: CONNECT_MS, timeoutMs: CONNECT_MS },
      probeContext(vantage, signal, () => undefined),
    ),
  );
  const what = `pager ${url.host}`;
  const tookMs = Math.round(systemClock.mono() - startedMono);
  if (answer.verdict === 'ok')
    return { asked: [{ what, verdict: 'ok', says: 'connected; nothing was posted', tookMs }], findings: [] };
  const says = answer.message ?? 'it does not answer';
  return {
    asked: [{ what, verdict: 'bad', says, tookMs }],
    findings: [finding('stop', what, says, 'correct pager.url: people would not be told')],
  };
}

/** Reads the records of every name in its zone, as a cut-over does first. */
async function readZones(config: Config, secrets: Secrets, redact: Redact): Promise<Part> {
  const names = Object.entries(config.groups).flatMap(([group, { components }]) =>
    Object.entries(components).flatMap(([id, component]) =>
      component.kind === 'dns' && component.provider === 'route53'
        ? [{ what: `${group}/${id} zone ${component.zoneId}`, component }]
        : [],
    ),
  );
  const route53 = createRoute53((reference) => secrets.of(reference).reveal());
  try {
    const parts = await Promise.all(
      names.map(async ({ what, component }): Promise<Part> => {
        const startedMono = systemClock.mono();
        const read = await within(ASK_MS, (signal) =>
          route53.read(
            what,
            component,
            [
              { name: component.name, type: component.type ?? 'A' },
              { name: component.epochName, type: 'TXT' },
            ],
            {
              clock: systemClock,
              timers: systemTimers,
              signal,
              deadlineMono: startedMono + ASK_MS,
            },
          ),
        );
        const tookMs = Math.round(systemClock.mono() - startedMono);
        if (read.kind === 'failed') {
          const says = redact(read.message);
          return {
            asked: [{ what, verdict: 'unknown', says, tookMs }],
            findings: [
              finding(
                'warn',
                what,
                says,
                'correct zoneId, the credentials or their policy; to observe it is not needed',
              ),
            ],
          };
        }
        const values = (read.sets[0] ?? []).flatMap((set) =>
          (set.ResourceRecords ?? []).map(({ Value }) => Value ?? ''),
        );
        return {
          asked: [{ what, verdict: 'ok', says: `${component.name} is ${values.join(', ') || 'not there'}`, tookMs }],
          findings: [],
        };
      }),
    );
    return { asked: parts.flatMap(({ asked }) => asked), findings: parts.flatMap(({ findings }) => findings) };
  } finally {
    route53.close();
  }
}

/** What only a running daemon is told. */
const witnessNotes = (config: Config, vantage: string): Finding[] =>
  Object.keys(config.vantages)
    .filter((other) => other !== vantage)
    .map((other) =>
      finding(
        'note',
        `vantage ${other}`,
        'what it sees is not known here',
        `run failoverd doctor --vantage ${other} where it stands`,
      ),
    );

/** The judgement's own state after this one look, by the code that the daemon runs. */
function stateOf(
  loaded: Loaded,
  observations: readonly Observation[],
  listings: readonly Listing[],
  at: number,
): State {
  const { alerts } = reconcile({ known: [], listings, now: at });
  const inputs: Input[] = [
    { kind: 'started', at, mono: 0, incarnation: 'doctor', version: 'doctor', configHash: '' },
    { kind: 'webhook', at, mono: 0, request: 'doctor', alerts: [...alerts] },
    { kind: 'observed', at, mono: 0, observations: [...observations] },
  ];
  return inputs.reduce((state, input) => turn(state, input).state, initialState(loaded.settings));
}
