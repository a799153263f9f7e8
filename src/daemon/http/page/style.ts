/** The page's only style sheet; its hash is what the content security policy allows, so nothing else can be put in. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --bg: #f5f6f8; --card: #fff; --ink: #1a2029; --soft: #586273; --line: #dde1e7; --head: #eef0f4;
  --ok: #14713b; --ok-bg: #e2f3e8; --bad: #b3191e; --bad-bg: #fce6e6; --warn: #8a5200; --warn-bg: #fdf0d9;
  --unknown: #56606f; --unknown-bg: #e9ecf0; --act: #1551b8; --act-bg: #e3ecfb; --code: #eef0f4;
}
@media (prefers-color-scheme: dark) {
  :root {
    --bg: #10141a; --card: #191f28; --ink: #e6eaf0; --soft: #9aa6b6; --line: #2c3542; --head: #202833;
    --ok: #6bd394; --ok-bg: #12301f; --bad: #ff8f8f; --bad-bg: #3d1719; --warn: #f3bf69; --warn-bg: #38280e;
    --unknown: #a9b4c2; --unknown-bg: #28303b; --act: #8db8ff; --act-bg: #162a4a; --code: #0f141b;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--bg); color: var(--ink); font: 15px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere;
}
main, header, footer { max-width: 76rem; margin: 0 auto; padding: 0 1rem; }
header { display: flex; flex-wrap: wrap; gap: .25rem 1rem; align-items: baseline; padding-top: 1rem; }
header h1 { font-size: 1.15rem; margin: 0; }
header p, footer { color: var(--soft); font-size: .85rem; margin: 0; }
footer { padding: 1rem; }
a { color: var(--act); }
section.group, section.block { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; margin: 1rem 0; }
section.block, .group > * { padding: 0 1.1rem; }
.group > .top {
  display: flex; flex-wrap: wrap; gap: .3rem .8rem; align-items: center; padding-top: .9rem; padding-bottom: .2rem;
}
h2 { font-size: 1.25rem; margin: 0; }
section.block h2 { padding: .9rem 0 .2rem; font-size: 1.05rem; }
h3 { font-size: .8rem; letter-spacing: .04em; text-transform: uppercase; color: var(--soft); margin: 1.3rem 0 .45rem; }
h4 { font-size: .95rem; margin: .9rem 0 .3rem; }
.tag {
  display: inline-block; border-radius: .35rem; padding: .05rem .5rem; font-size: .82rem; font-weight: 600;
  white-space: nowrap; background: var(--unknown-bg); color: var(--unknown);
}
.ok { background: var(--ok-bg); color: var(--ok); }
.bad { background: var(--bad-bg); color: var(--bad); }
.warn { background: var(--warn-bg); color: var(--warn); }
.act { background: var(--act-bg); color: var(--act); }
.answers { margin: .6rem 0 0; }
.answers dt { font-weight: 600; color: var(--soft); font-size: .85rem; }
.answers dd { margin: 0 0 .7rem; font-size: 1.05rem; }
.answers ul { margin: 0; padding-left: 1.1rem; font-size: .95rem; }
.pairs { display: grid; grid-template-columns: repeat(auto-fill, minmax(11.5rem, 1fr)); gap: .7rem 1rem; margin: .4rem 0 .8rem; }
.pairs div { min-width: 0; }
.pairs .wide { grid-column: 1 / -1; }
.pairs dt { color: var(--soft); font-size: .8rem; }
.pairs dd { margin: 0; font-weight: 500; }
.soft { color: var(--soft); font-weight: 400; }
.panel { border: 1px solid var(--line); border-left: .3rem solid var(--act); border-radius: .4rem; padding: .7rem .9rem; margin: .5rem 0; }
.panel.stuck { border-left-color: var(--bad); }
.panel > :first-child { margin-top: 0; }
.notice { border-radius: .4rem; padding: .5rem .8rem; margin: .6rem 0; font-weight: 600; }
pre { background: var(--code); border: 1px solid var(--line); border-radius: .4rem; padding: .6rem .8rem; margin: .5rem 0; white-space: pre-wrap; }
code, pre, .mono { font: .88em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
table { border-collapse: collapse; width: 100%; margin: .2rem 0 .9rem; font-size: .92rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .7rem .35rem 0; border-top: 1px solid var(--line); }
thead th { border-top: 0; color: var(--soft); font-weight: 600; font-size: .8rem; padding-top: 0; }
tbody th { font-weight: 500; }
td.num, th.num { text-align: right; white-space: nowrap; padding-right: 1.4rem; }
tr > :last-child { padding-right: 0; }
td.tight { white-space: nowrap; }
tr.main th { font-weight: 650; }
tr.sub th { padding-left: 1.1rem; font-weight: 400; }
meter, progress { width: 7rem; height: .7rem; vertical-align: middle; }
details { margin: .3rem 0; }
summary { cursor: pointer; }
details.fold > summary { padding: .45rem 0; font-weight: 500; border-top: 1px solid var(--line); }
details.fold:last-child { padding-bottom: .6rem; }
.log { margin: .2rem 0 0; padding-left: 1rem; color: var(--soft); }
.group { padding-bottom: .5rem; }
@media (max-width: 44rem) {
  main, header, footer { padding-left: .6rem; padding-right: .6rem; }
  section.block, .group > * { padding-left: .8rem; padding-right: .8rem; }
  table.stack thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  table.stack, table.stack tbody, table.stack tr, table.stack th, table.stack td { display: block; }
  table.stack tr { border-top: 1px solid var(--line); padding: .5rem 0; }
  table.stack th, table.stack td { border: 0; padding: .1rem 0; text-align: left; white-space: normal; }
  table.stack td[data-label]::before { content: attr(data-label) " "; color: var(--soft); font-size: .8rem; }
  table.stack td:empty { display: none; }
  .pairs { grid-template-columns: repeat(auto-fill, minmax(8.5rem, 1fr)); }
}
@media print { body { background: #fff; } section { break-inside: avoid; } }
`;
