/**
 * The page's only script; its hash is what the content security policy allows, so nothing else can be put in. It listens
 * to `/api/v1/events` and, when told, asks for this very page again and takes over what differs, so that what is folded
 * out, selected or focused stays so. There is one way to render the page, and it is the server's.
 *
 * What can't be had anew is said to be old: a page that looks alive while the daemon is dead would be worse than none.
 */

/** Nothing was heard for so long: the way to the daemon is cut, whatever the connection says. Longer than three beats. */
const SILENT_MS = 10_000;
/** Between two tries where no stream is to be had. */
const RETRY_MS = 5_000;
const ANSWER_WITHIN_MS = 10_000;

export const SCRIPT = `
(() => {
  'use strict';
  const live = document.getElementById('live');
  let source = null;
  let heardAt = Date.now();
  let loading = false;
  let missed = false;
  let retry = 0;

  const say = (text, kind) => {
    if (live.textContent !== text) live.textContent = text;
    live.className = kind;
  };
  const lost = () => {
    const since = new Date(heardAt).toLocaleTimeString();
    say('✕ no answer from failoverd since ' + since + ': what you see is old', 'bad');
  };

  /** Makes \`from\` what \`to\` is; elements that have an id are found again by it. */
  const take = (from, to) => {
    if (from.nodeType !== 1) {
      if (from.nodeValue !== to.nodeValue) from.nodeValue = to.nodeValue;
      return;
    }
    const folds = from.nodeName === 'DETAILS';
    for (const { name } of [...from.attributes])
      if (!to.hasAttribute(name) && !(folds && name === 'open')) from.removeAttribute(name);
    for (const { name, value } of [...to.attributes])
      if (from.getAttribute(name) !== value && !(folds && name === 'open')) from.setAttribute(name, value);
    const named = new Map([...from.children].filter((one) => one.id !== '').map((one) => [one.id, one]));
    let at = from.firstChild;
    for (const wanted of [...to.childNodes]) {
      const same = wanted.id
        ? named.get(wanted.id)
        : at !== null && !at.id && at.nodeName === wanted.nodeName
          ? at
          : undefined;
      if (same === undefined) {
        from.insertBefore(document.importNode(wanted, true), at);
        continue;
      }
      if (same === at) at = at.nextSibling;
      else from.insertBefore(same, at);
      take(same, wanted);
    }
    while (at !== null) {
      const next = at.nextSibling;
      at.remove();
      at = next;
    }
  };

  const load = async () => {
    if (loading) {
      missed = true;
      return;
    }
    loading = true;
    try {
      const answer = await fetch(location.href, {
        headers: { accept: 'text/html' },
        signal: AbortSignal.timeout(${ANSWER_WITHIN_MS}),
      });
      if (!answer.ok) throw new Error(String(answer.status));
      const next = new DOMParser().parseFromString(await answer.text(), 'text/html');
      // Another version of failoverd answers: its style and script are others, too.
      if (next.querySelector('style').textContent !== document.querySelector('style').textContent) location.reload();
      for (const place of ['#at', 'main', 'footer']) take(document.querySelector(place), next.querySelector(place));
      document.title = next.title;
      heardAt = Date.now();
      say('✓ live', 'ok');
    } catch {
      lost();
    }
    loading = false;
    if (missed) {
      missed = false;
      load();
    }
  };

  const close = () => {
    clearTimeout(retry);
    source?.close();
    source = null;
  };
  const open = () => {
    close();
    source = new EventSource('/api/v1/events');
    source.addEventListener('status', load);
    source.onerror = () => {
      // A stream that was refused is not tried again by the browser; the page can be had all the same.
      if (source?.readyState !== EventSource.CLOSED) return lost();
      load();
      clearTimeout(retry);
      retry = setTimeout(open, ${RETRY_MS});
    };
  };

  document.addEventListener('visibilitychange', () => (document.hidden ? close() : open()));
  setInterval(() => {
    if (document.hidden || Date.now() - heardAt < ${SILENT_MS}) return;
    lost();
    if (source?.readyState === EventSource.OPEN) open();
  }, 1000);
  if (!document.hidden) open();
})();
`;
