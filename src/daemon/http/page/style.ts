/** The page's only style sheet; its hash is what the content security policy allows, so nothing else can be put in. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --bg: #f5f6f8; --card: #fff; --ink: #1a2029; --soft: #586273; --line: #dde1e7; --head: #eef0f4;
  --ok: #14713b; --ok-bg: #e2f3e8; --bad: #b3191e; --bad-bg: #fce6e6; --warn: #8a5200; --warn-bg: #fdf0d9;
  --unknown: #56606f; --unknown-bg: #e9ecf0; --act: #1551b8; --act-bg: #e3ecfb; --code: #eef0f4; --axis: #b9c6da;
}
@media (prefers-color-scheme: dark) {
  :root {
    --bg: #10141a; --card: #191f28; --ink: #e6eaf0; --soft: #9aa6b6; --line: #2c3542; --head: #202833;
    --ok: #6bd394; --ok-bg: #12301f; --bad: #ff8f8f; --bad-bg: #3d1719; --warn: #f3bf69; --warn-bg: #38280e;
    --unknown: #a9b4c2; --unknown-bg: #28303b; --act: #8db8ff; --act-bg: #162a4a; --code: #0f141b; --axis: #46556b;
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
header p, footer { color: var(--soft); font-size: .85rem; }
header p { margin: 0; }
#live:empty { display: none; }
#live { font-weight: 600; padding: 0 .5rem; border-radius: .35rem; }
footer { padding-top: 1rem; padding-bottom: 1.5rem; }
a { color: var(--act); }
:focus-visible { outline: 3px solid var(--act); outline-offset: 2px; border-radius: .2rem; }
.skip { position: absolute; left: -99rem; }
.skip:focus { position: static; }
section.group, section.block { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; margin: 1rem 0; }
section.block, .group > * { padding: 0 1.1rem; }
section.part { margin: 0; }
.group { padding-bottom: .5rem; }
.group > .top { display: flex; flex-wrap: wrap; gap: .2rem .8rem; align-items: baseline; padding-top: .9rem; padding-bottom: .5rem; }
h2 { font-size: 1.25rem; margin: 0; }
section.block { padding-bottom: .8rem; }
section.block h2 { padding: .9rem 0 .2rem; font-size: 1.05rem; }
h3 { font-size: .8rem; letter-spacing: .04em; text-transform: uppercase; color: var(--soft); margin: 1.5rem 0 .35rem; }
h4 { font-size: 1rem; margin: .9rem 0 .3rem; }
p { margin: .4rem 0; }
ul { margin: 0; padding-left: 1.1rem; }
.group > nav { display: flex; flex-wrap: wrap; gap: 0 1rem; padding-top: .4rem; font-size: .85rem; }
.group > nav a { padding: .25rem 0; }
.tag {
  display: inline-block; border-radius: .35rem; padding: .05rem .5rem; font-size: .82rem; font-weight: 600;
  white-space: nowrap; background: var(--unknown-bg); color: var(--unknown);
}
.ok { background: var(--ok-bg); color: var(--ok); }
.bad { background: var(--bad-bg); color: var(--bad); }
.warn { background: var(--warn-bg); color: var(--warn); }
.act { background: var(--act-bg); color: var(--act); }
.group > .glance { border-left: .45rem solid var(--line); background: var(--head); padding-top: .7rem; padding-bottom: .6rem; }
.group > .ok-edge { border-color: var(--ok); }
.group > .bad-edge { border-color: var(--bad); }
.group > .warn-edge { border-color: var(--warn); }
.group > .act-edge { border-color: var(--act); }
.headline { font-size: 1.25rem; line-height: 1.3; margin: 0; }
.headline .tag { font-size: .95rem; vertical-align: .1em; margin-right: .3rem; }
.since { margin: .15rem 0 0; color: var(--soft); }
.countdown { margin: .6rem 0 .2rem; max-width: 34rem; }
.countdown p { margin: 0; }
.countdown strong { font-size: 1.7rem; line-height: 1.2; margin-right: .25rem; }
.countdown .soft { font-size: .85rem; }
.answers { margin: .7rem 0 0; display: grid; grid-template-columns: repeat(auto-fit, minmax(26rem, 1fr)); gap: .6rem 2rem; }
.answers dt { font-weight: 600; color: var(--soft); font-size: .85rem; }
.answers dd { margin: 0; }
.pairs { display: grid; grid-template-columns: repeat(auto-fill, minmax(11.5rem, 1fr)); gap: .7rem 1rem; margin: .4rem 0 .8rem; }
.pairs div { min-width: 0; }
.pairs .wide { grid-column: 1 / -1; }
.pairs dt { color: var(--soft); font-size: .8rem; }
.pairs dd { margin: 0; font-weight: 500; }
.soft { color: var(--soft); font-weight: 400; }
.panel { border: 1px solid var(--line); border-left: .3rem solid var(--act); border-radius: .4rem; padding: .7rem .9rem; margin: .5rem 0; }
.panel.stuck { border-left-color: var(--bad); }
.panel.calm { border-left-color: var(--line); }
.panel > :first-child { margin-top: 0; }
.notice { border-radius: .4rem; padding: .5rem .8rem; margin: .6rem 0; font-weight: 600; border: 1px solid currentColor; }
.notice p { margin: 0; }
.notice .plain { font-weight: 400; }
.commands { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; margin: .5rem 0; }
.command { flex: 1 1 20rem; min-width: 0; }
.command > span { color: var(--soft); font-size: .8rem; }
pre {
  background: var(--code); border: 1px solid var(--line); border-radius: .4rem; padding: .5rem .8rem; margin: .1rem 0;
  white-space: pre-wrap; user-select: all;
}
.keep { white-space: nowrap; }
code, pre, .mono { font: .88em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
.bar { display: block; width: 100%; height: .8rem; margin: .3rem 0; background: var(--unknown-bg); border-radius: .2rem; overflow: hidden; }
.bar .budget { fill: var(--axis); }
.bar .fill { fill: var(--act); }
.bar .fill.ok { fill: var(--ok); }
.bar .fill.warn { fill: var(--warn); }
.bar .fill.bad { fill: var(--bad); }
.bar .mark { fill: var(--bad); }
table { border-collapse: collapse; width: 100%; margin: .2rem 0 .9rem; font-size: .92rem; }
caption { text-align: left; color: var(--soft); font-size: .85rem; padding: 0 0 .35rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .8rem .35rem 0; border-top: 1px solid var(--line); }
thead th { white-space: nowrap; border-top: 0; color: var(--soft); font-weight: 600; font-size: .8rem; padding-top: 0; }
tbody th { font-weight: 500; min-width: 8rem; }
tbody .name { min-width: 13rem; }
tbody td.name { min-width: 9rem; }
td.num, th.num { white-space: nowrap; }
td.wide { min-width: 14rem; width: 40%; }
tr > :last-child { padding-right: 0; }
td.tight { white-space: nowrap; }
tr.main th { font-weight: 650; }
tr.sub th, tr.sub td { border-top: 0; padding-top: .1rem; padding-bottom: .1rem; }
tr.sub th { padding-left: 1.1rem; font-weight: 400; }
tr.stale > td { color: var(--soft); }
details { margin: .3rem 0; }
summary { cursor: pointer; padding: .15rem 0; }
details.fold > summary { padding: .45rem 0; font-weight: 500; border-top: 1px solid var(--line); }
details.fold:last-child { padding-bottom: .6rem; }
@media (max-width: 70rem) { thead th, td.num, th.num, td.tight, td .tag { white-space: normal; } }
@media (max-width: 48rem) {
  main, header, footer { padding-left: .6rem; padding-right: .6rem; }
  section.block, .group > * { padding-left: .8rem; padding-right: .8rem; }
  .answers { grid-template-columns: 1fr; }
  table.stack thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  table.stack, table.stack caption, table.stack tbody { display: block; }
  table.stack tr { display: block; border-top: 1px solid var(--line); padding: .45rem 0; }
  table.stack tr.sub { border-top: 0; padding: .1rem 0 .1rem .8rem; }
  table.stack th, table.stack td { border: 0; padding: 0; white-space: normal; min-width: 0; }
  table.stack th, table.stack td { display: inline-block; margin-right: .8rem; vertical-align: baseline; max-width: 100%; }
  table.stack td:has(details) { display: block; }
  table.stack td.wide { display: block; width: auto; margin: 0; }
  table.stack tr:not(.main, .sub) td[data-label]:not(.tight)::before { content: attr(data-label) " "; color: var(--soft); font-size: .8rem; }
  table.stack td:empty { display: none; }
  .pairs { grid-template-columns: repeat(auto-fill, minmax(8.5rem, 1fr)); }
}
@media print { body { background: #fff; } section { break-inside: avoid; } }
`;
