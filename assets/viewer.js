// What the pages do with a script and can do without: times in the browser's zone, times ago that
// stay true, live mode, copying. No texts of its own: they come with the page.
(() => {
  "use strict";
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const one = (selector, within = document) => within.querySelector(selector);
  const lang = document.documentElement.lang;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const { zone: shown, fixed } = one("main").dataset;
  const turns = fixed === undefined && zone && zone !== shown;

  const remember = (name, value) => {
    const path = one(".brand").pathname.replace(/(.)\/$/, "$1");
    const secure = location.protocol === "https:" ? "; secure" : "";
    document.cookie = `tower-audit-${name}=${value}; path=${path}; max-age=31536000; samesite=lax${secure}`;
  };
  if (new URLSearchParams(location.search).has("lang")) remember("lang", lang);

  // Times
  const style = { dateStyle: "medium", timeStyle: "medium" };
  const dates = new Intl.DateTimeFormat(lang === "en" ? "en-GB" : lang, style);
  const ages = new Intl.RelativeTimeFormat(lang);
  const point = new Intl.NumberFormat(lang).format(1.5)[1];
  const units = [["year", 31536000], ["month", 2592000], ["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

  const turn = (time) => {
    const at = one(".at", time);
    if (!turns || !at) return;
    const fraction = time.classList.contains("precise") ? point + /\.(\d{6})/.exec(time.dateTime)?.[1] : "";
    at.textContent = dates.format(new Date(time.dateTime)) + fraction;
  };
  const age = (time) => {
    const ago = one(".ago", time);
    const seconds = Math.floor((Date.now() - new Date(time.dateTime)) / 1000);
    const unit = units.find(([, length]) => seconds >= length);
    if (ago && unit) ago.textContent = ages.format(-Math.floor(seconds / unit[1]), unit[0]);
  };
  const times = (within) => all("time", within).forEach((time) => { turn(time); age(time); });

  if (turns) {
    remember("tz", zone);
    // The server read the form in its zone; from the next page on it knows the browser's, from the
    // cookie or, where that was refused, from the form.
    const own = one("input[name=tz]:disabled");
    if (own && !document.cookie.includes(`tower-audit-tz=${zone}`)) { own.value = zone; own.disabled = false; }
    all("input[data-time]").forEach((input) => {
      const at = new Date(input.dataset.time);
      input.value = new Date(at - at.getTimezoneOffset() * 60000).toISOString().slice(0, 19);
      const label = one("small", input.parentElement);
      if (label) label.textContent = label.textContent.replace(shown, zone);
    });
  }
  // What is counted, and the foot, may come later.
  const rest = () => {
    times(document);
    const said = one(".times-in");
    if (!turns || !said) return;
    said.textContent = said.dataset.text.replace("{}", zone);
    one(".zone a").hidden = false;
  };
  rest();
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", rest);
  setInterval(() => all("time").forEach(age), 15000);

  // A list that is chosen from needs no button.
  all(".filters select").forEach((select) => select.addEventListener("change", () => select.form.requestSubmit()));
  // What was left empty does not stand in the address.
  one(".filters form")?.addEventListener("submit", (event) => {
    for (const field of event.target.elements) if (field.name && !field.value) field.disabled = true;
  });
  addEventListener("pageshow", () => all(".filters :disabled").forEach((field) => { field.disabled = false; }));

  // A click anywhere in a row opens it, unless it ends a selection or meets a link.
  document.addEventListener("click", (event) => {
    const link = one("a.row", event.target.closest?.(".log tbody tr") ?? document.createElement("p"));
    if (!link || event.target.closest("a, button, summary, details") || String(getSelection())) return;
    if (event.ctrlKey || event.metaKey) open(link.href); else link.click();
  });

  // Copying
  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Not allowed, or not over TLS: the old way asks nobody.
      const field = document.createElement("textarea");
      field.value = text;
      document.body.append(field);
      field.select();
      document.execCommand("copy");
      field.remove();
    }
  };
  all("[data-copy], [data-copy-link]").forEach((button) => {
    const { copy: id, copyLink, copied } = button.dataset;
    const word = button.textContent;
    button.hidden = false;
    if (copyLink) button.previousElementSibling.hidden = true;
    button.addEventListener("click", async () => {
      await copy(id ? document.getElementById(id).textContent.trim() : new URL(copyLink, location).href);
      button.textContent = copied;
      button.focus();
      setTimeout(() => { button.textContent = word; }, 2000);
    });
  });

  // Live mode
  const live = one("[data-live]");
  if (!live || !window.EventSource) return;
  const MOST_ROWS = 500;
  const words = live.dataset;
  const said = one(".said", live);
  const button = one(".live-pause", live);
  const pause = button.textContent;
  let since = words.since;
  let source = null;
  let arrived = 0;
  let refusals = 0;
  const MOST_REFUSALS = 8;

  const state = (name) => {
    live.classList.remove("is-on", "is-paused", "is-lost");
    live.classList.add(`is-${name}`);
    said.textContent = words[name];
  };
  // Many at once are said once.
  let saying = 0;
  const announce = () => {
    saying ||= setTimeout(() => {
      saying = 0;
      const form = new Intl.PluralRules(lang).select(arrived) === "one" ? words.one : words.other;
      said.textContent = form.replace("{}", new Intl.NumberFormat(lang).format(arrived));
    }, 1000);
  };
  const body = () => {
    const table = one(".listing .log tbody");
    if (!table) location.reload();
    return table;
  };
  const insert = (event) => {
    since = event.lastEventId || since;
    const table = body();
    if (!table) return;
    const template = document.createElement("template");
    // The row is ours, drawn and escaped by the server.
    template.innerHTML = event.data;
    const row = template.content.firstElementChild;
    if (!row || all("tr", table).some((other) => other.dataset.id === row.dataset.id)) return;
    times(row);
    row.classList.add("is-new");
    table.prepend(row);
    while (table.rows.length > MOST_ROWS) table.lastElementChild.remove();
    arrived += 1;
    announce();
  };
  const close = () => { source?.close(); source = null; };
  const waits = () => !source && !button.hidden && !live.classList.contains("is-paused");
  const end = () => { close(); button.hidden = true; state("lost"); said.textContent = words.ended; };
  const connect = () => {
    close();
    source = new EventSource(`${words.live}${words.live.includes("?") ? "&" : "?"}since=${encodeURIComponent(since)}`);
    source.addEventListener("open", () => { refusals = 0; state("on"); });
    source.addEventListener("record", insert);
    // The store does not answer: what stands there may not be all.
    source.addEventListener("unavailable", () => state("lost"));
    source.addEventListener("available", () => state("on"));
    // The store has gone back, as after a restore: what stands there may be gone.
    source.addEventListener("reset", (event) => { since = event.lastEventId || since; said.textContent = words.back; });
    source.addEventListener("denied", end);
    source.addEventListener("error", () => {
      state("lost");
      // Where nobody answers, the browser tries again by itself. An answer that refuses ends that: we
      // ask a few times more, ever more slowly.
      if (source?.readyState !== EventSource.CLOSED) return;
      close();
      refusals += 1;
      if (refusals > MOST_REFUSALS) { end(); return; }
      setTimeout(() => { if (waits()) connect(); }, Math.min(500 * 2 ** refusals, 60000));
    });
  };
  button.hidden = false;
  button.addEventListener("click", () => {
    const paused = live.classList.contains("is-paused");
    button.textContent = paused ? pause : button.dataset.resume;
    if (paused) { connect(); } else { close(); state("paused"); }
  });
  ["online", "pageshow"].forEach((name) => addEventListener(name, () => { if (waits()) connect(); }));
  addEventListener("pagehide", close);
  state("on");
  connect();
})();
