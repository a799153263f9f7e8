/**
 * `npm run sim -- --mutants [--only NN[,NN]] [--from S] [--seeds N] [--jobs J] [--json]`: each mutant with its diff, what caught it, and how many
 * histories that took. Exit 0: every one was caught by an invariant that it declares. 1: one was not. 2: usage.
 */
import { availableParallelism } from 'node:os';
import { systemClock } from '../../runtime/clock.ts';
import type { Environment } from '../../runtime/environment.ts';
import type { Options } from '../options.ts';
import { allMutants } from './catalogue.ts';
import { diffsOf, type Fate, foundText, huntAll, isKilled } from './hunt.ts';
import type { NamedMutant } from './mutant.ts';

const TELL_EVERY_MS = 5000;

type MutantsOptions = Pick<Options, 'only' | 'from' | 'seeds' | 'seedsGiven' | 'jobs' | 'json'>;

/** The exit code. */
export async function runMutants(
  { only, from, seeds, seedsGiven, jobs, json }: MutantsOptions,
  environment: Pick<Environment, 'print' | 'complain'>,
): Promise<number> {
  const all = await allMutants();
  const unknown = wanted(only).find((number) => !all.some((mutant) => mutant.number === number));
  if (unknown !== undefined) {
    environment.complain(
      `--only: there is no mutant ${unknown}; they go from ${all[0]?.number} to ${all.at(-1)?.number}\n`,
    );
    return 2;
  }
  const mutants = all
    .filter(({ number }) => only === null || wanted(only).includes(number))
    .map((mutant) => (seedsGiven ? { ...mutant, within: seeds } : mutant));
  const say = (text: string): void => (json ? undefined : environment.print(`${text}\n`));
  const beganMs = systemClock.mono();
  const fates = new Map<NamedMutant, Fate>();
  const spoilt = new Set<string>();
  const under = new Map<NamedMutant, number>();
  let told = beganMs;
  await huntAll(
    mutants,
    { from, jobs: jobs ?? availableParallelism() },
    {
      done(mutant, fate) {
        under.delete(mutant);
        fates.set(mutant, fate);
        say(report(mutant, fate));
      },
      spoilt(mutant, seed) {
        spoilt.add(`${mutant.world ?? 'whole'} ${seed}`);
      },
      progress(mutant, seeds) {
        under.set(mutant, seeds);
        if (json || systemClock.mono() - told < TELL_EVERY_MS) return;
        told = systemClock.mono();
        const now = [...under].map(([{ number }, count]) => `${number} at ${count} histories`).join(', ');
        environment.complain(`${fates.size} of ${mutants.length} mutants; ${now}\n`);
      },
    },
  );
  const alive = mutants.filter((mutant) => !isKilled(fates.get(mutant) as Fate));
  for (const seed of spoilt)
    environment.complain(
      `violated without any mutant: world and seed ${seed} (npm run sim -- --world WORLD --seed SEED --trace)\n`,
    );
  if (json)
    environment.print(
      `${JSON.stringify({
        mutants: mutants.map((mutant) => ({ ...mutant, diffs: diffsOf(mutant), fate: fates.get(mutant) })),
        killed: mutants.length - alive.length,
        alive: alive.map(({ number }) => number),
      })}\n`,
    );
  const seconds = ((systemClock.mono() - beganMs) / 1000).toFixed(0);
  say(
    `${mutants.length} mutants, ${seconds} s: ${mutants.length - alive.length} killed, ${alive.length} alive${alive.map(({ number }) => ` ${number}`).join(',')}`,
  );
  return alive.length === 0 ? 0 : 1;
}

const wanted = (only: string | null): readonly string[] =>
  only === null ? [] : only.split(',').map((number) => number.trim().padStart(2, '0'));

function report(mutant: NamedMutant, fate: Fate): string {
  const diff = diffsOf(mutant).flatMap(({ file, removed, added }) => [
    `     ${file}`,
    ...removed.map((line) => `     - ${line.trim()}`),
    ...added.map((line) => `     + ${line.trim()}`),
  ]);
  return [`${mutant.number} ${mutant.name}: ${mutant.says}`, ...diff, `   ${fateText(mutant, fate)}`].join('\n');
}

const histories = (count: number): string => (count === 1 ? '1 history' : `${count} histories`);

function fateText({ caughtBy }: NamedMutant, fate: Fate): string {
  const wanted = `invariant ${caughtBy.join(' or ')}`;
  switch (fate.kind) {
    case 'caught': {
      const others = fate.others.length === 0 ? '' : `; on the way it broke ${fate.others.join(', ')}`;
      return `killed after ${histories(fate.seeds)} by ${foundText(fate.by)}${others}`;
    }
    case 'failed-test':
      return `killed by ${fate.test} (${wanted})`;
    case 'survived': {
      const [first] = fate.others;
      const instead = first === undefined ? '' : `; instead it broke ${foundText(first)}`;
      return `ALIVE after ${histories(fate.seeds)}: ${wanted} was not broken${instead}`;
    }
    case 'passed-test':
      return `ALIVE: ${fate.test} passes (${wanted})`;
    case 'unclean':
      return `ALIVE: it shows without any fault, so its catch proves nothing: ${foundText(fate.by)}`;
    case 'unplanted':
      return `ALIVE: its world does not run ${fate.files.join(', ')}`;
    case 'unproven':
      return `ALIVE: ${fate.why}`;
    case 'timeout':
      return `ALIVE: out of time after ${histories(fate.seeds)}`;
    default:
      return fate satisfies never;
  }
}
