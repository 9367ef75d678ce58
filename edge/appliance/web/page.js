// Keeps the page up to date: asks for the parts that change, and puts those that did in their place. Without it the
// page works as well, and is reloaded by hand.
"use strict";
(() => {
  const TRY_AGAIN_S = 5;
  const news = document.getElementById("news");
  const lost = document.getElementById("lost");
  let said = news.dataset.said;
  if (location.search) history.replaceState(null, "", "/"); // what was done is told once

  // what is open, and where the reader is, stays so
  function put(place, html) {
    const open = new Set(Array.from(place.querySelectorAll("details[open]"), (one) => one.id));
    const focused = place.contains(document.activeElement) ? document.activeElement.id : "";
    place.innerHTML = html; // escaped by the template engine on the machine, as the page itself
    for (const one of place.querySelectorAll("details")) one.open = open.has(one.id);
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  }

  const shown = new Map();
  function show(live) {
    for (const [name, html] of Object.entries(live.parts)) {
      const place = document.getElementById(`part-${name}`);
      if (place && shown.get(name) !== html) put(place, html);
      shown.set(name, html);
    }
    for (const one of document.getElementsByName("form")) one.value = live.form;
    document.title = live.title;
    if (said !== live.news) news.textContent = live.news;
    said = live.news;
  }

  async function turn() {
    let again = TRY_AGAIN_S;
    if (!document.hidden) {
      try {
        const answer = await fetch("/live", { cache: "no-store", signal: AbortSignal.timeout(10000) });
        if (answer.status === 401) return location.reload();
        if (!answer.ok) throw new Error(String(answer.status));
        const live = await answer.json();
        show(live);
        again = live.again_s;
        lost.hidden = true;
      } catch {
        lost.hidden = false;
      }
    }
    clearTimeout(turn.next);
    turn.next = setTimeout(turn, again * 1000);
  }

  document.addEventListener("visibilitychange", () => { if (!document.hidden) turn(); });
  turn.next = setTimeout(turn, 1000);
})();
