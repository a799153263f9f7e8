/** The guard's status for a person: one page without scripts, which loads nothing from elsewhere. */
import { html } from 'htm/preact';
import type { VNode } from 'preact';
import { renderToString } from 'preact-render-to-string';
import type { GuardStatus } from '../../model/guard.ts';
import type { GuardDoctor } from './server.ts';

const STYLE =
  'body{font:16px/1.5 system-ui,sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b;background:#fff}' +
  'th{text-align:left;vertical-align:top;padding:.2rem 1rem .2rem 0;font-weight:600}td{padding:.2rem 0}' +
  '@media(prefers-color-scheme:dark){body{color:#e8e8e8;background:#161616}}';

const ago = (ms: number | null): string => (ms === null ? 'never' : `${(ms / 1000).toFixed(1)} s ago`);

function rowsOf(status: GuardStatus, doctor: GuardDoctor): readonly (readonly [string, string])[] {
  const { lease, postgres, deadMan } = status;
  return [
    ['It is', `${status.part}: ${status.why}`],
    [
      'PostgreSQL',
      `${postgres.state}, ${postgres.open ? 'clients are let in' : 'nobody is let in'}${postgres.timeline === null ? '' : `, timeline ${postgres.timeline}`}`,
    ],
    [
      'Lease',
      lease === null
        ? 'not known yet'
        : `epoch ${lease.epoch}, ${lease.state} by ${lease.holder}; heard ${ago(lease.heardAgoMs)}, unchanged for ${(lease.unchangedMs / 1000).toFixed(1)} s`,
    ],
    ['Holds', status.holds === null ? 'no lease' : `epoch ${status.holds}, renewed ${ago(status.renewedAgoMs)}`],
    ...(status.waitsFor === null ? [] : [['Does not take the lease because', status.waitsFor] as const]),
    ['Dead-man', `${deadMan.kind}, ${deadMan.armed ? 'watches' : 'does not watch'}; ${doctor.deadMan.why}`],
    ['Driver', `${doctor.driver.kind}${doctor.driver.proven ? '' : ' (not proven against the real thing)'}`],
    ...(status.frozen === null ? [] : [['Frozen', `${status.frozen.lsn ?? 'soon'}: ${status.frozen.why}`] as const]),
    ...(status.deposedBy === null ? [] : [['Deposed', `by epoch ${status.deposedBy}; it has to rejoin`] as const]),
    ...(status.rests === null ? [] : [['Rests', status.rests.why] as const]),
  ];
}

export function statusPage(status: GuardStatus, doctor: GuardDoctor): string {
  const title = `${status.group}/${status.component} in ${status.region}: ${status.part}`;
  const page = html`<html lang="en"><head><meta charset="utf-8" /><meta name="viewport" content="width=device-width" />
    <meta http-equiv="refresh" content="2" /><title>${title}</title><style>${STYLE}</style></head>
    <body><h1>${title}</h1><table>${rowsOf(status, doctor).map(([name, value]) => html`<tr><th scope="row">${name}</th><td>${value}</td></tr>`)}</table>
    <p><a href="/metrics">Metrics</a></p></body></html>` as VNode;
  return `<!doctype html>${renderToString(page)}`;
}
