/**
 * Whether one freeze could hold a process together with another (safety.md, "outside every freeze set"). PURE.
 *
 * What is frozen is a control group with all below it: a unit by `systemctl freeze`, a container by its pause. Two processes
 * are apart where the only groups above both are slices, and the root: nothing freezes those but with the whole machine.
 */
import type { Counts } from './dead-man.ts';

export type Standing = { readonly path: string; readonly namespace: string };

/** The control group namespace of the machine itself (PROC_CGROUP_INIT_INO, linux/proc_ns.h). In another one we are in a container. */
const OF_THE_MACHINE = 'cgroup:[4026531835]';

const partsOf = (path: string): readonly string[] => path.split('/').filter((part) => part !== '');

/** The group that would freeze both; null = none but slices. */
export function sharedGroup(a: string, b: string): string | null {
  const [left, right] = [partsOf(a), partsOf(b)];
  let common = 0;
  while (common < left.length && left[common] === right[common]) common += 1;
  const inside = common === left.length || common === right.length;
  const above = left.slice(0, common);
  // The root itself can't be frozen: who stands in it is apart from all who don't.
  if (inside && (above.length > 0 || left.length === right.length)) return `/${above.join('/')}`;
  return above.every((part) => part.endsWith('.slice')) ? null : `/${above.join('/')}`;
}

export function standsApart(
  deadMan: Standing | null,
  others: readonly { readonly name: string; readonly at: Standing | null }[],
): Counts {
  if (deadMan === null) return no('the control group of the dead-man can’t be read');
  for (const { name, at } of others) {
    if (at === null) return no(`the control group of ${name} can’t be read`);
    const isContainer = at.namespace === deadMan.namespace && at.namespace !== OF_THE_MACHINE;
    if (isContainer) return no(`the dead-man and ${name} are in one container, which may be paused as a whole`);
    const shared = sharedGroup(deadMan.path, at.path);
    if (shared !== null)
      return no(`the dead-man and ${name} are both in the control group ${shared}, and are frozen together`);
  }
  return { expired: true, why: 'the dead-man stands in a control group of its own' };
}

const no = (why: string): Counts => ({ expired: false, why });
