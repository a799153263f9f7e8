/**
 * The relative dead-man: the kernel's watchdog (Documentation/watchdog/watchdog-api.rst), which resets the machine when
 * nobody has written to it for its timeout. It is petted at each good renewal, so a freeze between a reply and its pet puts
 * it off by as much as H (safety.md): the rules of the lease allow for that.
 *
 * Node.js has no ioctl: the timeout can't be set from here, and is read from sysfs.
 */
import { closeSync, openSync, readFileSync, realpathSync, writeSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Log } from '../../runtime/log.ts';
import type { Timers } from '../../runtime/timers.ts';
import { StateRefused } from '../state-file.ts';
import type { Counts, DeadMan } from './dead-man.ts';

export type WatchdogOptions = {
  readonly device: string;
  /** H: the timeout of the device must not be longer. */
  readonly afterMs: number;
  readonly timers: Timers;
  readonly say: Log;
  /** Folder of what the kernel tells of its watchdogs. */
  readonly sys?: string;
  /** Opens the device, which starts it. */
  readonly open?: (device: string) => number;
};

const SYS = '/sys/class/watchdog';
/** "Magic close": written right before the device is closed it stops the timer, where the driver allows it at all. */
const MAGIC = 'V';
const KEEP_ALIVE = '\0';
const PETS_IN_TIME = 3;

type Facts = { readonly timeoutMs: number | null; readonly canStop: boolean | null };

function factsOf(device: string, sys: string): Facts {
  const name = basename(nameOf(device));
  const folder = join(sys, name === 'watchdog' ? 'watchdog0' : name);
  const read = (file: string): string | null => {
    try {
      return readFileSync(join(folder, file), 'utf8').trim();
    } catch {
      // Older kernels tell less; what isn't told is unknown.
      return null;
    }
  };
  const timeout = Number(read('timeout') ?? Number.NaN);
  const nowayout = read('nowayout');
  return {
    timeoutMs: Number.isFinite(timeout) && timeout > 0 ? timeout * 1000 : null,
    canStop: nowayout === null ? null : nowayout === '0',
  };
}

function nameOf(device: string): string {
  try {
    return realpathSync(device);
  } catch {
    // Not there: opening it says so.
    return device;
  }
}

export function watchdogDeadMan(options: WatchdogOptions): DeadMan {
  const { device, afterMs, timers, say, sys = SYS, open = (path: string) => openSync(path, 'w') } = options;
  const facts = factsOf(device, sys);
  let fd: number | null = null;
  let cancel = (): void => undefined;
  let tell: (armed: boolean) => void = () => undefined;

  const write = (what: string): void => {
    try {
      fd ??= open(device);
      writeSync(fd, what);
    } catch (error) {
      say.error({ err: error, device }, 'the watchdog can’t be petted');
      tell(false);
    }
  };

  /** A device that can't be stopped goes on while nothing needs it: it is petted for as long as PostgreSQL is proven stopped. */
  const petForNothing = (): void => {
    write(KEEP_ALIVE);
    cancel = timers.after((facts.timeoutMs ?? afterMs) / PETS_IN_TIME, petForNothing);
  };

  const counts = (): Counts => {
    const { timeoutMs } = facts;
    if (timeoutMs === null) return { expired: false, why: `the timeout of ${device} can’t be read` };
    if (timeoutMs > afterMs)
      return {
        expired: false,
        why: `${device} waits ${timeoutMs / 1000} s, longer than deadManAfter (${afterMs / 1000} s)`,
      };
    return { expired: true, why: `${device} resets the machine ${timeoutMs / 1000} s after the last pet` };
  };

  return {
    kind: 'relative',
    async start(call) {
      tell = call;
      const { expired, why } = counts();
      if (!expired) throw new StateRefused(why, 'set the timeout of the watchdog by its module’s parameter');
      // Not opened before there is something to watch over: to open is to start it.
      tell(true);
      return { renewedMono: null };
    },
    pet() {
      cancel();
      write(KEEP_ALIVE);
    },
    disarm() {
      cancel();
      if (fd === null) return;
      if (facts.canStop !== true) return petForNothing();
      write(MAGIC);
      closeSync(fd);
      fd = null;
    },
    counts,
    deeds: () => [],
    pid: () => null,
    async leave() {
      cancel();
      // Closed without the magic: it goes on, and resets the machine unless a successor pets it in time.
      if (fd !== null) closeSync(fd);
      fd = null;
    },
  };
}
