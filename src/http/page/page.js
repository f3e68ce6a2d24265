// Refreshes the page, filters without leaving it, and lights up what belongs together. All else works without it.
"use strict";
(() => {
  const every = 3000, slowest = 60000;
  const live = document.getElementById("live");
  let tag = null, told = text("#headline"), wait = every, timer = null, asked = 0;

  function text(selector) {
    const found = document.querySelector(selector);
    return found ? found.textContent.trim() : "";
  }

  // A screen reader hears it; people see it where something is amiss.
  function say(words, isTrouble) {
    if (live.textContent !== words) live.textContent = words;
    live.classList.toggle("shown", Boolean(isTrouble));
  }

  // What has the focus, by what it says of itself: the element itself is swapped.
  function marked(element) {
    if (!element || element === document.body) return null;
    if (element.id) return "#" + CSS.escape(element.id);
    const href = element.getAttribute("href"), part = element.closest("[data-part]");
    if (!href || !part) return null;
    const same = "#" + part.id + " a[href=" + CSS.escape(href) + "]";
    // There may be several; only one drawing is shown.
    return { same, at: [...document.querySelectorAll(same)].indexOf(element) };
  }

  function focus(mark) {
    if (!mark) return;
    const found = typeof mark === "string" ? document.querySelector(mark) : document.querySelectorAll(mark.same)[mark.at];
    if (found && found !== document.activeElement) found.focus({ preventScroll: true });
  }

  function isSelected(part) {
    const selection = getSelection();
    return selection && !selection.isCollapsed && selection.containsNode(part, true);
  }

  // Puts the new parts in, and leaves open what was open, scrolled what was scrolled, and alone what somebody is reading out of.
  function swap(fresh, isOther) {
    const mark = marked(document.activeElement);
    const now = [...document.querySelectorAll("main [data-part]")], next = [...fresh.querySelectorAll("main [data-part]")];
    const alike = now.length === next.length && now.every((part, at) => part.id === next[at].id);
    if (!alike) {
      document.querySelector("main").replaceWith(fresh.querySelector("main"));
    } else {
      now.forEach((part, at) => {
        const into = next[at];
        const chooses = part.tagName === "FORM" && part.contains(document.activeElement);
        if (part.dataset.was === into.outerHTML || (!isOther && (isSelected(part) || chooses))) return;
        const was = into.outerHTML;
        for (const details of part.querySelectorAll("details[id]")) {
          const same = into.querySelector("#" + CSS.escape(details.id));
          if (same) same.open = details.open;
        }
        const scrolled = [...part.querySelectorAll(".table, .hub")].map((box) => box.scrollLeft);
        part.replaceWith(into);
        into.dataset.was = was;
        [...into.querySelectorAll(".table, .hub")].forEach((box, number) => { if (scrolled[number]) box.scrollLeft = scrolled[number]; });
      });
    }
    document.title = fresh.title;
    focus(mark);
    const words = text("#headline");
    if (words !== told) say(words);
    told = words;
  }

  async function load(isOther) {
    const turn = ++asked, headers = tag && !isOther ? { "If-None-Match": tag } : {};
    const page = location.pathname + location.search;
    try {
      const answer = await fetch(page, { headers: { ...headers, Accept: "text/html" }, cache: "no-store", credentials: "same-origin" });
      if (turn !== asked) return;
      if (answer.status === 401) return location.reload();
      if (answer.status !== 304 && answer.status !== 200 && answer.status !== 404) throw new Error(answer.status);
      if (live.classList.contains("shown")) say("The daemon answers again.");
      wait = every;
      if (answer.status === 304) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (turn !== asked) return;
      const script = "script[src]", newer = fresh.querySelector(script), own = document.querySelector(script);
      if (newer && own && newer.getAttribute("src") !== own.getAttribute("src")) return location.reload();
      tag = answer.headers.get("ETag");
      swap(fresh, isOther);
    } catch {
      if (turn !== asked) return;
      wait = Math.min(wait * 2, slowest);
      say("The daemon does not answer; this is as it was.", true);
    }
  }

  function again() {
    clearTimeout(timer);
    if (!document.hidden) timer = setTimeout(() => load(false).finally(again), wait);
  }

  // A filter is an address: it goes into the history, and back leads back.
  function show(address) {
    history.pushState(null, "", address);
    load(true).finally(again);
  }

  document.addEventListener("submit", (event) => {
    if (event.target.id !== "filter") return;
    event.preventDefault();
    const chosen = [...new FormData(event.target)].filter(([, value]) => value);
    show(chosen.length ? "/?" + new URLSearchParams(chosen) : "/");
  });
  document.addEventListener("change", (event) => {
    if (event.target.form && event.target.form.id === "filter") event.target.form.requestSubmit();
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const address = new URL(link.href, location);
    if (address.origin !== location.origin || address.pathname !== "/" || location.pathname !== "/" || address.hash) return;
    event.preventDefault();
    show(address.pathname + address.search);
  });
  addEventListener("popstate", () => load(true).finally(again));
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) clearTimeout(timer);
    else load(false).finally(again);
  });

  // What is pointed at or has the focus: a spoke's routes light up, the others step back.
  function light(element) {
    const spoke = element && element.closest && element.closest(".spoke[data-at]");
    for (const wheel of document.querySelectorAll(".wheel.has-lit")) {
      wheel.classList.remove("has-lit");
      for (const lit of wheel.querySelectorAll(".lit")) lit.classList.remove("lit");
    }
    if (!spoke) return;
    const wheel = spoke.closest(".wheel"), at = spoke.dataset.at;
    const own = [...wheel.querySelectorAll(".route")].filter((route) => route.dataset.n.split(" ").includes(at));
    for (const route of own) route.classList.add("lit");
    wheel.classList.toggle("has-lit", own.length > 0);
  }
  for (const kind of ["pointerover", "focusin"]) document.addEventListener(kind, (event) => light(event.target));
  document.addEventListener("focusout", () => light(null));

  // With arrows from one spoke to the next, also to those that have no name of their own.
  document.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key], from = event.target.closest && event.target.closest(".wheel .spoke, .wheel a.name");
    if (!step || !from) return;
    const all = [...from.closest(".wheel").querySelectorAll(".spoke")], at = all.indexOf(from);
    const to = all[at < 0 ? 0 : at + step];
    if (!to) return;
    event.preventDefault();
    to.focus({ preventScroll: false });
  });

  again();
})();
