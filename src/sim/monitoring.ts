/**
 * Prometheus and Alertmanager of the simulated world, both in region W: an alert once A is gone for three seconds, a
 * watchdog for A that always fires, silences, and all that is wrong with webhooks: repeated, late, lost.
 */
import type { Alert, Observation, Silence } from '../model/evidence.ts';
import { A, B, type Platform, W } from './platform.ts';
import type { DaemonProcess } from './process.ts';
import type { Random } from './random.ts';
import { askMetric } from './vantages.ts';

const EVERY_MS = 1000;
/** `for` of the rule. */
const GONE_MS = 3000;
/** Alertmanager tells again, and is asked for its silences, this often. */
const REPEAT_MS = 5000;
const METRIC_EVERY_MS = 2000;
const TRIES = 3;
const RETRY_MS = 1500;

export type MonitoringOptions = {
  readonly platform: Platform;
  readonly daemon: DaemonProcess;
  readonly random: Random;
  readonly untilMs: number;
  /** Called right before a webhook is given to the daemon. */
  readonly given: (alert: Alert) => void;
  /** Called when a webhook was taken, with what it held. */
  readonly taken: (alert: Alert) => void;
};

export class Monitoring {
  readonly #options: MonitoringOptions;
  /** Both servers are down. */
  dead = false;
  /** *Resolved* is lost and *firing* comes late, one time in two. */
  unreliable = false;
  /** Silences hold everything but the watchdog back. */
  silenced = false;
  #requests = 0;
  #downSinceMs: number | null = null;
  #firing: Alert | null = null;
  #watchdog: Alert | null = null;
  #silences: Silence[] = [];
  #beats = 0;

  constructor(options: MonitoringOptions) {
    this.#options = options;
  }

  start(): void {
    const { scheduler } = this.#options.platform;
    scheduler.every(EVERY_MS, this.#options.untilMs, () => this.#beat());
    scheduler.every(METRIC_EVERY_MS, this.#options.untilMs, () => this.askMetric());
  }

  /** The daemon alone asks. */
  askMetric(): void {
    const { platform, daemon } = this.#options;
    if (!daemon.up || daemon.frozen) return;
    const observation: Observation = askMetric(
      platform,
      { vantage: 'daemon', place: B, wallAt: daemon.wall() },
      this.dead,
    );
    daemon.submit({ kind: 'observed', observations: [observation] });
  }

  #beat(): void {
    if (this.dead) return;
    const { platform, daemon, random } = this.#options;
    const now = platform.scheduler.nowMs;
    this.#beats += 1;
    const repeats = this.#beats % (REPEAT_MS / EVERY_MS) === 0;
    const sees = platform.connected(W, A);
    const gone = !sees || !platform.commits(platform.a);
    if (!gone) this.#downSinceMs = null;
    else this.#downSinceMs ??= now;
    if (repeats && sees && platform.up(A)) {
      this.#watchdog ??= this.#alert('bb', 'Watchdog', now);
      this.#post(this.#watchdog);
    }
    if (repeats && platform.connected(W, B)) this.#tellSilences(daemon.wall());
    if (gone && now - (this.#downSinceMs ?? now) >= GONE_MS) {
      const began = this.#firing === null;
      this.#firing ??= this.#alert('aa', 'RegionDown', now);
      if (!this.silenced && (began || repeats)) this.#post(this.#firing);
    } else if (!gone && this.#firing !== null) {
      if (!(this.unreliable && random.chance(0.5))) this.#post({ ...this.#firing, status: 'resolved' });
      if (this.unreliable && random.chance(0.5)) this.#post(this.#firing);
      this.#firing = null;
    }
  }

  #alert(mark: string, alertname: string, nowMs: number): Alert {
    return {
      fingerprint: mark.padStart(16, '0'),
      startsAt: nowMs,
      status: 'firing',
      labels: { alertname },
      summary: null,
    };
  }

  /** What stands and what it holds back, as the daemon asks for it. */
  #tellSilences(wallAt: number): void {
    if (!this.silenced && this.#silences.length === 0) return;
    this.#silences = this.silenced
      ? [
          {
            id: 'planned',
            by: 'ada',
            comment: 'planned work',
            startsAt: wallAt - 1000,
            endsAt: wallAt + 60_000,
            matchers: [{ label: 'work', equal: true, value: 'planned' }],
          },
        ]
      : [];
    this.#options.daemon.submit({
      kind: 'silences',
      silences: this.#silences,
      silenced: this.silenced && this.#firing !== null ? [{ alert: this.#firing, silencedBy: ['planned'] }] : [],
    });
  }

  #post(alert: Alert, tries = TRIES): void {
    const { platform, daemon, random, given, taken } = this.#options;
    platform.scheduler.after(random.int(5, 300), () => {
      if (!platform.connected(W, B)) return this.#again(alert, tries);
      this.#requests += 1;
      given(alert);
      daemon.submit({ kind: 'webhook', request: `r${this.#requests}`, alerts: [alert] }, (error) => {
        if (error === null) taken(alert);
        else this.#again(alert, tries);
      });
    });
  }

  #again(alert: Alert, tries: number): void {
    if (tries > 1) this.#options.platform.scheduler.after(RETRY_MS, () => this.#post(alert, tries - 1));
  }
}
