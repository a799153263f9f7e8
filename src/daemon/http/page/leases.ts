/** Who may write to each PostgreSQL: the lease, and how its guards were last heard. */
import { html } from 'htm/preact';
import type { VNode } from 'preact';
import type { GroupStatus, LeaseStatus } from '../../status-document.ts';
import { instantText, spanText } from '../../text.ts';
import { age, command, type Part, table, tag, tagOf } from './parts.ts';

export function leasePart({ leases, group, timeZone }: GroupStatus): Part {
  if (leases.length === 0) return null;
  return html`<div>
    ${leases.map(({ component, halt }) => (halt === null ? null : haltNotice(group, component, halt, timeZone)))}
    ${table(
      'Leases, and the guards that ask for them',
      [
        { label: 'PostgreSQL', kind: 'name' },
        { label: 'May write', kind: 'tight' },
        { label: 'Last set', kind: 'num' },
        { label: 'Epoch', kind: 'num' },
        { label: 'After it' },
        { label: 'Guards' },
      ],
      leases.map((lease) => ({
        cells: [
          lease.component,
          whose(lease),
          lease.renewedAgoMs === null ? 'not since the start' : age(lease.renewedAgoMs),
          lease.epoch === null ? '' : String(lease.epoch),
          html`${lease.peers.length === 0 ? 'nobody' : lease.peers.join(', ')}${warming(lease)}`,
          html`${lease.guards.map((guard) => html`<div>${guard.region} ${heard(guard)}</div>`)}`,
        ],
      })),
    )}
  </div>` as VNode;
}

const whose = ({ state, holder, released }: LeaseStatus): VNode =>
  state === 'held'
    ? tag('ok', holder ?? '')
    : tagOf(state === 'none' ? ['', 'nobody yet'] : ['warn', `nobody: given back by ${holder} (${released})`]);

const warming = ({ warmingMs }: LeaseStatus): Part =>
  warmingMs === 0
    ? null
    : (html` <span class="soft">the store has started: nobody takes it for ${spanText(warmingMs)} more</span>` as VNode);

const heard = ({ heardAgoMs, pinned }: LeaseStatus['guards'][number]): VNode =>
  (heardAgoMs === null
    ? html`<span class="soft">not heard since the start</span>`
    : html`<span class="soft">${age(heardAgoMs)}</span>${pinned ? null : html` ${tag('warn', 'obeys another life')}`}`) as VNode;

const haltNotice = (
  group: string,
  component: string,
  { at, why }: NonNullable<LeaseStatus['halt']>,
  timeZone: string | null,
): VNode =>
  html`<div class="notice bad">
    <p>✕ The lease store of ${component} is halted: ${why}</p>
    <p class="plain">
      ${`Since ${instantText(at, timeZone)}. It was restored from a backup, or is a copy, and grants nothing until an sre or a dba clears it, having looked at every PostgreSQL of ${component}.`}
    </p>
    <div class="commands">${command(`failoverd lease clear ${group}/${component} --why "…"`, 'Go on')}</div>
  </div>` as VNode;
