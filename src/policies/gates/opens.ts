/** What would open each gate, in words for whoever stands before it (design §5, §6). PURE. */
import type { GateReport } from '../../model/events.ts';
import { rowName } from '../../model/matrix.ts';
import { missing } from '../../model/run.ts';
import type { Row } from '../../model/settings.ts';
import { authorityAt } from '../authority.ts';
import { utcText } from '../span.ts';
import type { View } from '../view.ts';

type Question = { readonly view: View; readonly row: Row; readonly report: GateReport };

const OPENS: Readonly<Record<string, (question: Question) => string>> = {
  'one-run': ({ view }) => `${view.ledger.run?.id ?? 'the open run'} must end first`,
  cooldown: ({ view }) => {
    const last = view.ledger.ended.at(-1);
    return last === undefined
      ? 'it opens by itself'
      : `it opens by itself at ${utcText(last.endedAt + view.settings.cooldownMs)}`;
  },
  'no-report': ({ view }) =>
    Object.keys(view.ledger.reports)
      .map((report) => `somebody looks, and says: failoverd clear ${view.group} ${report} --reason "..."`)
      .join('; '),
  'target-ready': ({ view }) => `${view.standby} must be seen as a standby of the same cluster that replays`,
  'target-matches': ({ view }) =>
    `${view.standby} must be made as ${view.active} is, and both must tell: see what the gate says for each setting`,
  'vantage-quorum': ({ view }) =>
    `${view.settings.quorum} of ${view.settings.vantages.length} vantages must fail to reach ${view.active}, and evidence of another class over another path must agree`,
  maintenance: () => 'it opens when the planned work is over; or take the cause out of it',
  'row-opts-in': ({ row }) => `people approve it; or write auto: true on row ${row.id}`,
  'fence-proof': () => 'people approve it, being told that there is no fence; or configure one under fence',
  'lease-store': ({ view }) =>
    Object.entries(view.ledger.leases)
      .filter(([, { halt }]) => halt !== null)
      .map(([component]) => `somebody looks, and says: failoverd lease clear ${view.group}/${component} --why "..."`)
      .join('; '),
  vetoes: () => 'people approve it; or what can’t be told is seen again',
  attempts: ({ view }) => {
    const first = view.ledger.autoRunsAt.filter((at) => at > view.at - view.settings.attemptsWithinMs)[0];
    return `people approve it${first === undefined ? '' : `; or it opens by itself at ${utcText(first + view.settings.attemptsWithinMs)}`}`;
  },
  monitoring: () => 'people approve it; or the alert mapped to watchdog is heard again',
  'loss-budget': ({ view }) =>
    `people approve it with that loss; or a fresh sample of the primary shows at most ${view.settings.rpoMs / 1000} s behind`,
  authority: ({ view }) => {
    const open =
      view.ledger.proposal === null ? authorityAt(view.settings, view.at).needs : missing(view.ledger.proposal);
    return view.ledger.proposal === null
      ? `${open.join(' and ')} can approve once there is a proposal`
      : `failoverd approve ${view.ledger.proposal.id}, by ${open.join(' and ')}`;
  },
};

/** Gates whose opening has words of its own; for the test that each has. */
export const GATES_TOLD: readonly string[] = Object.keys(OPENS);

export function opensBy(question: Question): string {
  const { report, view } = question;
  const own = Object.hasOwn(OPENS, report.gate) ? OPENS[report.gate] : undefined;
  if (own !== undefined) return own(question);
  const [, row, of = null] = /^row-(\d+)(?:\/(.+))?$/.exec(report.gate) ?? [];
  const named = view.settings.rows.find(({ id }) => String(id) === row);
  if (named === undefined) return 'it opens when that is so no more';
  const name = rowName(named.id, of);
  if (report.answer === 'cannot-tell')
    return `people approve it; or what ${name} reads is seen again; or write unknown: pass on it`;
  return `${name} (${named.when}) must not match any more`;
}
