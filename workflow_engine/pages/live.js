// Keeps a page up to date: the server says when something has changed, and the page is then asked
// for again and its parts exchanged. An element with `data-live` has the address of the events,
// `data-seen` what the page shows already. Without this script pages reload by themselves.
"use strict";

(() => {
  // milliseconds between two requests for a page that changes all the time
  const PAUSE = 2000;
  // milliseconds until the server is asked again that has refused events: too many pages are open
  const REFUSED_PAUSE = 15000;
  let source = null, address = "", last = 0, timer = 0, retry = 0;

  // Browsers keep few connections to a server, for all tabs together: hidden ones leave theirs.
  function listen() {
    const at = document.hidden ? null : document.querySelector("[data-live]");
    const wanted = at ? at.dataset.live : "";
    if (wanted === address) return;
    if (source) source.close();
    clearTimeout(retry);
    address = wanted;
    if (!at) return;
    source = new EventSource(`${wanted}&seen=${encodeURIComponent(at.dataset.seen)}`);
    source.addEventListener("error", (event) => {
      // what breaks is taken up again by the browser, what is refused is not
      if (event.target === source && source.readyState === EventSource.CLOSED) {
        address = "";
        retry = setTimeout(listen, REFUSED_PAUSE);
      }
    });
    source.addEventListener("changed", () => {
      clearTimeout(timer);
      timer = setTimeout(exchange, Math.max(0, last + PAUSE - Date.now()));
    });
    source.addEventListener("progress", (event) => progress(JSON.parse(event.data)));
  }

  async function exchange() {
    last = Date.now();
    const answer = await fetch(location.href, { headers: { accept: "text/html" } }).catch(() => null);
    if (!answer) return;
    if (answer.redirected || !answer.ok) return location.reload();  // signed out, or gone
    const text = await answer.text();
    const page = new DOMParser().parseFromString(text, "text/html");
    for (const part of document.querySelectorAll("[data-part]")) {
      const next = page.querySelector(`[data-part="${part.dataset.part}"]`);
      if (next) merge(part, document.importNode(next, true));
    }
    document.title = page.title;
    listen();
  }

  // Put what has changed into the place of what is there, as little as possible of it: what somebody
  // reads, plays, has opened or types into stays.
  function merge(old, next) {
    const before = [...old.children], after = [...next.children];
    const alike = before.length === after.length && before.length > 0 &&
      before.every((one, n) => one.tagName === after[n].tagName && one.id === after[n].id);
    for (const details of old.querySelectorAll("details[open]")) {
      const same = [...next.querySelectorAll("details")].find((one) => name(one) === name(details));
      if (same) same.open = true;
    }
    if (alike && old.dataset.part !== undefined) {
      before.forEach((one, n) => {
        if (!one.isEqualNode(after[n]) && !inUse(one)) replace(one, after[n]);
      });
    } else if (!inUse(old)) {
      old.replaceChildren(...next.childNodes);
      enhance(old);
    }
    for (const { name, value } of [...next.attributes]) old.setAttribute(name, value);
    for (const { name } of [...old.attributes]) if (!next.hasAttribute(name)) old.removeAttribute(name);
  }

  function replace(old, next) {
    const focused = old.contains(document.activeElement) ? name(document.activeElement) : "";
    old.replaceWith(next);
    enhance(next);
    const again = focused && [...next.querySelectorAll("a, button, summary, [tabindex]")]
      .find((one) => name(one) === focused);
    if (again) again.focus({ preventScroll: true });
  }

  function name(element) {
    if (element.tagName === "DETAILS") return name(element.querySelector("summary"));
    return element.id || `${element.tagName} ${element.getAttribute("href") || element.textContent}`;
  }

  function inUse(element) {
    const playing = [...element.querySelectorAll("video, audio")].some((one) => !one.paused);
    const typing = document.activeElement && document.activeElement.matches("input, select, textarea");
    const selected = getSelection();
    return playing || (typing && element.contains(document.activeElement)) ||
      (!selected.isCollapsed && element.contains(selected.anchorNode));
  }

  function enhance(element) {
    if (window.mediaflow) window.mediaflow.enhance(element);
  }

  function progress(runs) {
    for (const [run, activities] of Object.entries(runs)) {
      for (const [activity, news] of Object.entries(activities)) {
        for (const at of document.querySelectorAll(`[data-run="${CSS.escape(run)}"]`)) {
          if (at.dataset.activity !== activity) continue;
          at.querySelector("progress").value = news.fraction;
          at.querySelector("[data-told]").textContent = news.told;
        }
      }
    }
  }

  addEventListener("DOMContentLoaded", listen);
  addEventListener("pagehide", () => source && source.close());
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    address = "";
    listen();
  });
  document.addEventListener("visibilitychange", listen);
})();
