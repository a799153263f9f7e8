/**
 * A vantage of the simulated world, with the turn-taking of the real runner: probes of one target follow each other, a
 * failure is known when its deadline is over and carries that instant, and a witness posts in order what is still news
 * (`probes/runner.ts`, `probes/reporter.ts`).
 */
import type { Observation } from '../model/evidence.ts';
import { A, B, type Platform, W, wallAt } from './platform.ts';
import type { DaemonProcess } from './process.ts';
import type { Random } from './random.ts';
import { ask, control, observed, type Standpoint, type Target } from './vantages.ts';

const TURN_MS = 1000;
/** Turns come so much earlier or later, each by chance. */
const JITTER_MS = 100;
/** A control target is waited for so long, whatever the others are given. */
const CONTROL_TIMEOUT_MS = 2000;
/** How a server is made is asked every so many turns. */
const READINESS_EVERY = 4;
/** From one round of a witness to the next. */
const ROUND_MS = 500;
/** What a witness could not tell in this time is news no more. */
const NEWS_MS = 2000;
/** How long a report travels, at least and at most. */
const TRAVEL_MS = [10, 120] as const;

type Lane = { readonly target: Target | 'control'; running: boolean; again: boolean };
/** The looks a report holds of the active region's components, and the newest word of its control target. */
export type Truth = {
  readonly target: Target | 'control';
  readonly verdict: Observation['verdict'];
  /** Which cutting off of its vantage it met; 0 = none (`Platform.aloneDuring`). */
  readonly alone: number;
};
type Look = { readonly observation: Observation; readonly truth: Truth };
type Waiting = Look & { readonly seenMs: number };

export type VantageOptions = {
  readonly vantage: 'daemon' | 'witness';
  readonly platform: Platform;
  readonly daemon: DaemonProcess;
  readonly random: Random;
  readonly timeoutMs: number;
  readonly untilMs: number;
  /** Told of what a daemon that lives takes in. */
  readonly delivered: (vantage: 'daemon' | 'witness', truths: readonly Truth[]) => void;
};

export class Vantage {
  readonly #options: VantageOptions;
  readonly #place: typeof B | typeof W;
  readonly #lanes: readonly Lane[];
  readonly #control: Lane = { target: 'control', running: false, again: false };
  #turns = 0;
  /** Life of the daemon whose probes these are; a witness has one of its own. */
  #life = 0;
  #outbox: Waiting[] = [];
  #posting = false;

  constructor(options: VantageOptions) {
    this.#options = options;
    this.#place = options.vantage === 'daemon' ? B : W;
    const kinds =
      options.vantage === 'daemon' ? (['postgres', 'http', 'readiness'] as const) : (['postgres', 'http'] as const);
    this.#lanes = kinds.flatMap((kind) =>
      ([A, B] as const).map((region): Lane => ({ target: { kind, region }, running: false, again: false })),
    );
  }

  /** Targets and control targets have a turn of their own, as the runner gives it to them. */
  start(): void {
    const { platform, random } = this.#options;
    platform.scheduler.after(random.int(1, TURN_MS), () => this.#turn());
    platform.scheduler.after(random.int(1, TURN_MS), () => this.#controlTurn());
  }

  /** On fresh connections; a target that is being asked is asked again right after. */
  probeNow(): void {
    if (!this.#able()) return;
    const lanes = [
      ...this.#lanes.filter(({ target }) => target !== 'control' && target.kind !== 'readiness'),
      this.#control,
    ];
    for (const lane of lanes) if (lane.running) lane.again = true;
    this.#probe(lanes.filter(({ running }) => !running));
  }

  #turn(): void {
    this.#next(() => this.#turn());
    if (!this.#able()) return;
    this.#turns += 1;
    const readiness = this.#turns % READINESS_EVERY === 1;
    this.#probe(
      this.#lanes.filter(
        ({ running, target }) => !running && (readiness || target === 'control' || target.kind !== 'readiness'),
      ),
    );
  }

  #controlTurn(): void {
    this.#next(() => this.#controlTurn());
    if (this.#able() && !this.#control.running) this.#probe([this.#control]);
  }

  #next(turn: () => void): void {
    const { platform, random, untilMs } = this.#options;
    if (platform.scheduler.nowMs < untilMs) platform.scheduler.after(TURN_MS + random.int(-JITTER_MS, JITTER_MS), turn);
  }

  /** The daemon's own probes die and stand still with it. */
  #able(): boolean {
    const { vantage, daemon } = this.#options;
    if (vantage === 'witness') return true;
    if (!daemon.up || daemon.frozen) return false;
    if (daemon.life === this.#life) return true;
    this.#life = daemon.life;
    for (const lane of [...this.#lanes, this.#control]) {
      lane.running = false;
      lane.again = false;
    }
    return true;
  }

  #standpoint(): Standpoint {
    const { vantage, daemon, platform } = this.#options;
    const at = vantage === 'daemon' ? daemon.wall() : wallAt(platform.scheduler.nowMs);
    return { vantage, place: this.#place, wallAt: at };
  }

  #probe(lanes: readonly Lane[]): void {
    if (lanes.length === 0) return;
    const { platform } = this.#options;
    const from = this.#standpoint();
    const beganMs = platform.scheduler.nowMs;
    const answers: Look[] = [];
    const silent: Lane[] = [];
    for (const lane of lanes) {
      const observation = this.#ask(from, lane.target);
      if (observation === null) silent.push(lane);
      else answers.push(this.#look(observation, lane.target, beganMs));
    }
    this.#tell(answers);
    for (const control of [true, false]) {
      const group = silent.filter(({ target }) => (target === 'control') === control);
      if (group.length > 0) this.#wait(group, beganMs, control ? CONTROL_TIMEOUT_MS : this.#options.timeoutMs);
    }
  }

  #ask(from: Standpoint, target: Target | 'control'): Observation | null {
    const { platform } = this.#options;
    if (target !== 'control') return ask(platform, from, target);
    return platform.alone(this.#place) ? null : control(from, 'ok');
  }

  #wait(lanes: readonly Lane[], beganMs: number, timeoutMs: number): void {
    const { platform, daemon } = this.#options;
    for (const lane of lanes) lane.running = true;
    const life = this.#life;
    platform.scheduler.after(timeoutMs, () => {
      if (life !== this.#life) return;
      const from = this.#standpoint();
      // Who stood still when the deadline passed can't tell whether an answer was late.
      const verdict = this.#options.vantage === 'daemon' && daemon.frozen ? 'unknown' : 'bad';
      for (const lane of lanes) lane.running = false;
      this.#tell(
        lanes.map(({ target }) =>
          this.#look(
            target === 'control' ? control(from, verdict) : observed(platform, from, target, verdict),
            target,
            beganMs,
          ),
        ),
      );
      const again = lanes.filter((lane) => lane.again);
      for (const lane of again) lane.again = false;
      if (this.#able()) this.#probe(again);
    });
  }

  #look(observation: Observation, target: Target | 'control', beganMs: number): Look {
    const alone = this.#options.platform.aloneDuring(this.#place, beganMs);
    return { observation, truth: { target, verdict: observation.verdict, alone } };
  }

  #tell(looks: readonly Look[]): void {
    if (looks.length === 0) return;
    if (this.#options.vantage === 'daemon') return this.#deliver(looks);
    const seenMs = this.#options.platform.scheduler.nowMs;
    for (const look of looks) this.#outbox.push({ ...look, seenMs });
    if (!this.#posting) this.#post(this.#options.random.int(0, ROUND_MS));
  }

  #deliver(looks: readonly Look[]): void {
    const { daemon, delivered, vantage } = this.#options;
    if (!daemon.up) return;
    daemon.submit({ kind: 'observed', observations: looks.map(({ observation }) => observation) });
    delivered(
      vantage,
      looks.map(({ truth }) => truth),
    );
  }

  /** One report at a time, so that they arrive in the order they were made in; what does not arrive is sent again while it is news. */
  #post(waitMs: number): void {
    const { platform, random, daemon } = this.#options;
    const travelMs = random.int(...TRAVEL_MS);
    this.#posting = true;
    platform.scheduler.after(waitMs + travelMs, () => {
      const sentMs = platform.scheduler.nowMs - travelMs;
      this.#outbox = this.#outbox.filter(({ seenMs }) => sentMs - seenMs <= NEWS_MS);
      const sent = this.#outbox.filter(({ seenMs }) => seenMs <= sentMs);
      if (sent.length > 0 && daemon.up && !daemon.frozen && platform.connected(W, B)) {
        this.#outbox = this.#outbox.filter(({ seenMs }) => seenMs > sentMs);
        this.#deliver(sent);
      }
      this.#posting = this.#outbox.length > 0;
      if (this.#posting) this.#post(ROUND_MS - travelMs);
    });
  }
}
