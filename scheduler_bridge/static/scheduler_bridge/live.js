/* Keeps parts of a page up to date; without it they are right as they were when the page was made.

<div data-sb-live="address" data-sb-every="0.5" data-sb-reload>: its content is fetched anew each second, or so often,
while the page is seen. What has not changed is left alone, with what is selected, focused and scrolled in it; an
.sb-output that was scrolled to its end stays there. It gets the class sb-stale while the server does not answer. An
answer with the header "X-SB-Done: 1" is the last one; where data-sb-reload stands, the page is loaded anew then.

<time data-sb-countdown datetime="2026-03-10T12:00:00Z">: counts down to that moment, and up once it has passed. */
"use strict";

(() => {
  const EVERY = 1000; // milliseconds between two looks
  const LONGEST_PAUSE = 30000; // between two tries while the server does not answer
  const UNITS = [["second", 1, 90], ["minute", 60, 90], ["hour", 3600, 36], ["day", 86400, Infinity]];

  /* Make a piece of the page equal to a fresh one, touching only what differs. */
  function renew(old, fresh) {
    if (old.isEqualNode(fresh)) return;
    if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) {
      old.replaceWith(fresh);
    } else if (old.nodeType === Node.ELEMENT_NODE) {
      renewAttributes(old, fresh);
      renewChildren(old, fresh);
    } else if (fresh.data.startsWith(old.data)) {
      old.appendData(fresh.data.slice(old.data.length));
    } else {
      old.data = fresh.data;
    }
  }

  function renewAttributes(old, fresh) {
    for (const name of old.getAttributeNames()) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
    for (const name of fresh.getAttributeNames()) {
      if (old.getAttribute(name) !== fresh.getAttribute(name)) old.setAttribute(name, fresh.getAttribute(name));
    }
  }

  function renewChildren(old, fresh) {
    const there = [...old.childNodes];
    const wanted = [...fresh.childNodes];
    wanted.forEach((node, place) => (place < there.length ? renew(there[place], node) : old.append(node)));
    there.slice(wanted.length).forEach((node) => node.remove());
  }

  function show(place, html) {
    const read = [...place.querySelectorAll(".sb-output")].filter((box) => !isAtEnd(box));
    renewChildren(place, new DOMParser().parseFromString(html, "text/html").body);
    for (const box of place.querySelectorAll(".sb-output")) {
      if (!read.includes(box)) box.scrollTop = box.scrollHeight;
    }
    count();
  }

  function isAtEnd(box) {
    return box.scrollTop + box.clientHeight >= box.scrollHeight - 4;
  }

  /* Give the response; a redirection leads to the page to log in, which belongs to no place here. */
  async function ask(place) {
    const response = await fetch(place.dataset.sbLive, {
      cache: "no-store", credentials: "same-origin", headers: { "X-Requested-With": "XMLHttpRequest" },
      redirect: "error", signal: AbortSignal.timeout(LONGEST_PAUSE),
    });
    if (!response.ok) throw new Error(String(response.status));
    return response;
  }

  function follow(place) {
    const every = 1000 * Number(place.dataset.sbEvery) || EVERY;
    let pause = every;
    let timer = 0;
    let isAsking = false;
    let isDone = false;

    async function look() {
      if (document.hidden || isAsking || isDone) return;
      clearTimeout(timer);
      isAsking = true;
      const begun = performance.now();
      try {
        const response = await ask(place);
        show(place, await response.text());
        isDone = response.headers.get("X-SB-Done") === "1";
        pause = every;
        place.classList.remove("sb-stale");
      } catch {
        pause = Math.min(2 * pause, LONGEST_PAUSE);
        place.classList.toggle("sb-stale", pause >= 4 * every);
      }
      isAsking = false;
      if (!isDone) timer = setTimeout(look, Math.max(100, pause - (performance.now() - begun)));
      else if (place.hasAttribute("data-sb-reload")) location.reload();
    }

    place.querySelectorAll(".sb-output").forEach((box) => { box.scrollTop = box.scrollHeight; });
    document.addEventListener("visibilitychange", look);
    timer = setTimeout(look, every);
  }

  function words() {
    const options = { numeric: "always", style: "short" };
    try {
      return new Intl.RelativeTimeFormat(document.documentElement.lang || undefined, options);
    } catch {
      return new Intl.RelativeTimeFormat(undefined, options);
    }
  }

  function count() {
    for (const time of document.querySelectorAll("time[data-sb-countdown]")) {
      const seconds = (Date.parse(time.dateTime) - Date.now()) / 1000;
      if (Number.isNaN(seconds)) continue;
      const [unit, size] = UNITS.find(([, length, most]) => Math.abs(seconds) < most * length);
      const text = speech.format(Math.round(seconds / size), unit);
      if (time.textContent !== text) time.textContent = text;
    }
  }

  function start() {
    document.querySelectorAll("[data-sb-live]").forEach(follow);
    count();
    setInterval(() => { if (!document.hidden) count(); }, 1000);
  }

  const speech = words();
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
