/* The strip of a run: one Plotly figure over all its lanes, so that they share one lumisection axis, zoomed and panned together.

   The server has drawn every lane already; this draws the same again from #strip-data, where the page's own layout puts the lanes. The y axis
   counts pixels from the top of the first lane. Without this script, on a narrow screen and on paper the server's lanes stand.

   Everything of one kind is one trace, a path with a box for each stretch: some twenty objects whatever the run holds. What lies below the
   pointer is looked up in the data and not in the drawing. What is chosen and what is shown stand in the address, as `ls` and `zoom`. Fires
   `strip:chosen` ({ text, from }) when somebody chooses lumisections here, and `strip:drawn`; `window.strip.choose(text)` shows what was chosen
   elsewhere. */
(() => {
  "use strict";
  const NARROW = matchMedia("(max-width: 760px)");
  const COLOURS = {
    sum: "color-mix(in srgb, var(--tolerable) 55%, var(--panel))", tol: "var(--tolerable)", flag: "var(--flag)",
    none: "color-mix(in srgb, var(--none) 40%, var(--panel))", good: "color-mix(in srgb, var(--good) 75%, var(--panel))",
    unsure: "var(--unsure)", bad: "var(--bad)", int: "var(--bad)", absent: "var(--ink2)", luminosity: "color-mix(in srgb, var(--luminosity) 85%, var(--panel))",
    pileup: "var(--ink2)", score: "var(--ink)", hair: "var(--line2)", gain: "color-mix(in srgb, var(--good) 70%, var(--panel))", loss: "color-mix(in srgb, var(--bad) 70%, var(--panel))", tick: "var(--ink2)", ghost: "color-mix(in srgb, var(--accent) 55%, var(--panel))",
  };
  const FILLED = ["hair", "luminosity", "sum", "tol", "flag", "none", "good", "unsure", "bad", "int", "absent", "gain", "loss", "ghost"];
  const CLOSEST = 8;
  /* A wheel turns many times a second, and browsers refuse an address that changes as often. */
  const SETTLED_MS = 200;
  const LONGEST_LINK = 1500;
  let now = null;

  const { rangesOf, textOf, merged, parse, holding, lumi } = window.lumisections;

  /* 1, 2 or 5 times a power of ten. */
  const stepOf = (length, most) => {
    for (let power = 1; ; power *= 10) for (const digit of [1, 2, 5]) if (length / (digit * power) <= most) return digit * power;
  };

  class Strip {
    constructor(section) {
      this.section = section;
      this.box = section.querySelector("[data-strip]");
      this.data = JSON.parse(document.getElementById("strip-data").textContent);
      this.last = this.data.last;
      this.view = [0.5, this.last + 0.5];
      this.chosen = [];
      this.cursor = null;
      for (const lane of Object.values(this.data.lanes)) this.read(lane);
      this.sums();
      const make = (className) => { const element = document.createElement("div"); element.className = className; return element; };
      this.host = make("strip-host");
      this.figure = make("strip-figure");
      this.marks = make("strip-marks");
      this.line = make("strip-line");
      this.line.hidden = true;
      this.tip = make("strip-tip");
      this.tip.hidden = true;
      this.host.append(this.marks, this.figure, this.line);
      this.box.append(this.host, this.tip);
      Object.assign(this.host, { tabIndex: 0 });
      this.host.setAttribute("role", "group");
      this.host.setAttribute("aria-label", `Lumisections 1 to ${this.last}: arrows move and read, Shift chooses, Enter takes the stretch, + and − zoom`);
      this.spoken = make("sr");
      this.spoken.setAttribute("aria-live", "polite");
      this.box.append(this.spoken);
    }

    read(lane) {
      if (lane.parts) lane.parts = lane.parts.map(([kind, text, said]) => ({ kind, ranges: rangesOf(text), said }));
      if (lane.findings) lane.findings = lane.findings.map(([text, verdict, defect, score]) => ({ ranges: rangesOf(text), verdict, defect, score }));
    }

    /* What the form would change has lanes of its own, which come and go. */
    preview() {
      for (const key of Object.keys(this.data.lanes)) if (key.startsWith("preview:")) delete this.data.lanes[key];
      const script = document.getElementById("strip-preview-data");
      const lanes = script ? JSON.parse(script.textContent) : {};
      for (const [key, lane] of Object.entries(lanes)) { this.read(lane); this.data.lanes[key] = lane; }
      return this.draw();
    }

    /* Sums of what is recorded from the first lumisection on: what a selection holds is one subtraction. */
    sums() {
      let total = 0;
      this.recorded = [0, ...(this.data.columns.recorded_inv_nb || []).map((value) => (total += value || 0))];
      total = this.data.started || 0;
      this.began = (this.data.columns.duration_s || []).map((value) => { const at = total; total += value || 0; return at; });
    }

    recordedIn(ranges) {
      const upTo = (at) => this.recorded[Math.min(at, this.recorded.length - 1)];
      return ranges.reduce((sum, [first, last]) => sum + upTo(last) - upTo(first - 1), 0);
    }

    /* -- where the lanes are ------------------------------------------------------------------------------------------------- */

    measure() {
      const axis = this.box.querySelector(".lane-axis svg");
      const outer = this.box.getBoundingClientRect();
      const across = axis.getBoundingClientRect();
      this.top = across.top - outer.top;
      this.head = across.height;
      this.left = across.left - outer.left;
      this.width = Math.round(across.width);
      const begin = across.bottom;
      this.rows = [];
      for (const place of this.box.querySelectorAll("[data-lane]")) {
        const box = place.getBoundingClientRect();
        if (!box.height || !place.checkVisibility()) continue;
        this.rows.push({ key: place.dataset.lane, y: box.top - begin, height: box.height, lane: this.data.lanes[place.dataset.lane] });
      }
      const end = this.rows.at(-1);
      this.height = Math.round(end ? end.y + end.height + 2 : 1);
    }

    /* -- drawing ------------------------------------------------------------------------------------------------------------- */

    traces() {
      const made = new window.StripPaths(this).all();
      const trace = (name, style) => (made.has(name) ? [{ type: "scatter", hoverinfo: "skip", name, ...made.get(name), ...style }] : []);
      const colour = (name) => this.colours[name.replace("at-", "")];
      const filled = (name) => trace(name, { mode: "none", fill: "toself", fillcolor: colour(name) });
      const line = (name, dash) => trace(name, { mode: "lines", line: { color: colour(name), width: 1, dash } });
      return [...FILLED.flatMap(filled), ...["at-good", "at-bad"].flatMap((name) => line(name, "3px,3px")), ...line("score", "solid"), ...line("pileup", "2px,2px")];
    }

    layout() {
      const font = { family: this.font, size: 11, color: this.colours.tick };
      return {
        width: this.width, height: this.height + this.head, margin: { l: 0, r: 0, t: this.head, b: 0 }, showlegend: false, hovermode: false, dragmode: false,
        paper_bgcolor: "rgba(0, 0, 0, 0)", plot_bgcolor: "rgba(0, 0, 0, 0)", font,
        xaxis: { side: "top", range: this.view, showgrid: false, zeroline: false, ticks: "", tickfont: font, ticklabeloverflow: "allow", ...this.ticks(), fixedrange: true },
        yaxis: { range: [this.height, 0], visible: false, fixedrange: true },
      };
    }

    /* Lumisection 1 has its number, too; what would stand over the edge is left out. */
    ticks() {
      const [from, to] = this.view;
      const step = stepOf(to - from, Math.max(Math.floor(this.width / 75), 2));
      const edge = ((to - from) * 14) / this.width;
      const found = from < 1 ? [1] : [];
      for (let tick = Math.max(Math.ceil((from + edge) / step) * step, 2); tick <= to - edge; tick += step) if (!found.length || tick > 1 + 2 * edge) found.push(tick);
      return { tickmode: "array", tickvals: found, ticktext: found.map((tick) => `${tick}`) };
    }

    /* The server's own drawing, as browsers without scripts show it: on narrow screens, on paper, and where Plotly did not come. */
    plain() {
      for (const place of this.box.querySelectorAll("[data-lane]")) {
        const kept = place.parentElement.querySelector("noscript");
        if (kept) kept.outerHTML = kept.textContent;
      }
      this.box.classList.add("strip-plain");
      this.box.classList.remove("drawn");
    }

    async draw() {
      if (NARROW.matches) return this.plain();
      const Plotly = await window.housePlot.plotly().catch(() => null);
      if (now !== this) return;
      if (!Plotly) return this.plain();
      this.box.classList.remove("strip-plain");
      const started = performance.now();
      this.measure();
      if (this.width < 50) return;
      Object.assign(this.host.style, { left: `${this.left}px`, top: `${this.top}px`, width: `${this.width}px`, height: `${this.height + this.head}px` });
      const colour = window.housePlot.resolver(this.host);
      this.colours = Object.fromEntries(Object.entries(COLOURS).map(([name, value]) => [name, colour(value)]));
      colour.done();
      this.font = getComputedStyle(document.body).fontFamily;
      await this.paint();
      this.box.classList.add("drawn");
      performance.measure("strip-draw", { start: started });
      this.mark();
      document.dispatchEvent(new CustomEvent("strip:drawn"));
    }

    paint() { return window.Plotly.react(this.figure, this.traces(), this.layout(), { staticPlot: true, responsive: false }); }

    forget() {
      clearTimeout(this.settling);
      if (this.box.classList.contains("drawn")) window.Plotly?.purge(this.figure);
      this.host.remove();
      this.tip.remove();
    }

    /* -- zoom and pan -------------------------------------------------------------------------------------------------------- */

    /* The view nearest to what is asked for: not closer than a few lumisections, and within the run. */
    fit(from, to) {
      const length = Math.min(Math.max(to - from, Math.min(CLOSEST, this.last)), this.last);
      const middle = (from + to) / 2;
      const first = Math.min(Math.max(middle - length / 2, 0.5), this.last + 0.5 - length);
      return [first, first + length];
    }

    show(from, to) {
      this.view = this.fit(from, to);
      clearTimeout(this.settling);
      this.settling = setTimeout(() => this.address(), SETTLED_MS);
      if (this.due) return;
      this.due = requestAnimationFrame(() => {
        this.due = 0;
        if (this.box.classList.contains("drawn")) this.paint();
        this.mark();
        this.tellView();
      });
    }

    zoom(factor, at = (this.view[0] + this.view[1]) / 2) {
      const [from, to] = this.view;
      this.show(at - (at - from) * factor, at + (to - at) * factor);
    }

    pan(lumisections) { this.show(this.view[0] + lumisections, this.view[1] + lumisections); }

    zoomTo(what) {
      if (what === "in") this.zoom(0.5);
      else if (what === "out") this.zoom(2);
      else if (what === "selection" && this.chosen.length) {
        const [first, last] = [this.chosen[0][0], this.chosen.at(-1)[1]];
        const around = Math.max((last - first + 1) * 0.25, 4);
        this.show(first - 0.5 - around, last + 0.5 + around);
      } else this.show(0.5, this.last + 0.5);
    }

    get whole() { return this.view[0] <= 0.5 && this.view[1] >= this.last + 0.5; }

    /* In lumisections, as it stands in the address; empty for the whole run. */
    get shown() {
      const [from, to] = this.view;
      return this.whole ? "" : `${Math.max(Math.round(from + 0.5), 1)}-${Math.min(Math.round(to - 0.5), this.last)}`;
    }

    /* An address may say anything: what is no part of the run is the whole of it. */
    recall(text) {
      const [from, to] = (/^(\d{1,7})-(\d{1,7})$/.exec(text || "") || []).slice(1).map(Number);
      if (from >= 1 && from <= to && from <= this.last) this.view = this.fit(from - 0.5, Math.min(to, this.last) + 0.5);
    }

    tellView() { this.section.querySelector("[data-shown]").textContent = this.shown && `${this.shown} shown`; }

    /* -- what is chosen ------------------------------------------------------------------------------------------------------ */

    place(lumisection) { return ((lumisection - this.view[0]) / (this.view[1] - this.view[0])) * this.width; }

    at(clientX) {
      const inside = (clientX - this.host.getBoundingClientRect().left) / this.width;
      return Math.min(Math.max(Math.round(this.view[0] + inside * (this.view[1] - this.view[0])), 1), this.last);
    }

    mark() {
      const pieces = [];
      for (const [first, last] of this.chosen) {
        const [left, right] = [this.place(first - 0.5), this.place(last + 0.5)].map((x) => Math.min(Math.max(x, 0), this.width));
        if (right <= left) continue;
        const piece = document.createElement("div");
        piece.className = "strip-sel";
        Object.assign(piece.style, { left: `${left}px`, width: `${Math.max(right - left, 1)}px` });
        pieces.push(piece);
      }
      this.marks.replaceChildren(...pieces);
    }

    choose(ranges, from = "strip") {
      this.chosen = merged(ranges.map((range) => [...range]));
      this.mark();
      const count = this.chosen.reduce((sum, [first, last]) => sum + last - first + 1, 0);
      const text = textOf(this.chosen);
      const short = text.length > 60 ? `${text.slice(0, text.lastIndexOf(" ", 60))} …` : text;
      const box = this.section.querySelector("[data-chosen]");
      box.textContent = count ? `${short} selected · ${count.toLocaleString("en")} LS · ${lumi(this.recordedIn(this.chosen))} recorded` : "drag to select";
      box.classList.toggle("has-chosen", count > 0);
      if (from === "address") this.lead();
      else this.address();
      if (from === "strip") document.dispatchEvent(new CustomEvent("strip:chosen", { detail: { text, count } }));
    }

    address() {
      const address = new URL(location.href);
      for (const [name, text] of Object.entries({ ls: textOf(this.chosen), zoom: this.shown })) {
        if (text) address.searchParams.set(name, text);
        else address.searchParams.delete(name);
      }
      history.replaceState(history.state, "", address.href.replaceAll("%2D", "-"));
      this.lead();
    }

    /* Links to who said what of what is chosen, else of what is shown. */
    lead() {
      const text = textOf(this.chosen);
      const asked = (text.length > LONGEST_LINK ? `${this.chosen[0][0]}-${this.chosen.at(-1)[1]}` : text) || this.shown;
      for (const link of document.querySelectorAll("[data-history]")) link.href = link.dataset.history + (asked ? `?ls=${encodeURIComponent(asked)}` : "");
    }

    /* -- what lies below the pointer ------------------------------------------------------------------------------------------ */

    rowAt(clientY) {
      const y = clientY - this.host.getBoundingClientRect().top - this.head;
      return this.rows.find((row) => y >= row.y - 1 && y < row.y + row.height + 1) || null;
    }

    found(row, at) {
      if (!row?.lane?.parts) return null;
      for (const part of [...row.lane.parts].reverse()) {
        const range = holding(part.ranges, at);
        if (range) return { part, range };
      }
      return null;
    }

    read_out(row, at, x, y) {
      const lines = window.stripWords(this, row, at).map(([text, className]) => {
        const line = document.createElement("div");
        line.textContent = text;
        line.dir = className === "strip-tip-comment" ? "auto" : "ltr";
        if (className) line.className = className;
        return line;
      });
      this.tip.replaceChildren(...lines);
      this.tip.hidden = false;
      const outer = this.box.getBoundingClientRect();
      const left = Math.min(x - outer.left + 14, outer.width - this.tip.offsetWidth - 8);
      const below = y - outer.top + 18;
      const top = below + this.tip.offsetHeight > outer.height && y - outer.top > this.tip.offsetHeight ? y - outer.top - this.tip.offsetHeight - 10 : below;
      Object.assign(this.tip.style, { left: `${Math.max(left, 4)}px`, top: `${top}px` });
      Object.assign(this.line.style, { left: `${this.place(at - 0.5)}px`, width: `${Math.max(this.place(at + 0.5) - this.place(at - 0.5), 1)}px` });
      this.line.hidden = false;
    }

    hush() {
      this.tip.hidden = true;
      this.line.hidden = true;
    }
  }

  window.strip = { get now() { return now; }, choose: (text) => { const ranges = now && parse(text, now.last); if (ranges) now.choose(ranges, "form"); return ranges; } };

  /* -- beginning, and beginning again after a swap -------------------------------------------------------------------------------- */

  const folds = new Map();
  const resizing = new ResizeObserver(() => {
    if (!now?.box.classList.contains("drawn") && !now?.started) return;
    cancelAnimationFrame(now.resized);
    now.resized = requestAnimationFrame(() => now.draw());
  });

  const begin = () => {
    const section = document.getElementById("strip");
    if (!section?.querySelector("[data-strip]") || !document.getElementById("strip-data")) return;
    if (now?.section === section) return now.lead();
    const before = now;
    if (before) { resizing.disconnect(); before.forget(); }
    for (const fold of section.querySelectorAll("[data-fold]")) if (folds.has(fold.dataset.fold)) fold.open = folds.get(fold.dataset.fold);
    now = new Strip(section);
    const asked = new URL(location.href).searchParams;
    if (before && before.last === now.last) now.view = before.view;
    else now.recall(asked.get("zoom"));
    now.choose(parse(asked.get("ls") || "", now.last) || [], "address");
    now.tellView();
    window.strip.listen?.(now);
    now.draw().then(() => { if (now) { now.started = true; resizing.observe(now.box); } });
  };

  /* What the page shows besides was asked for when it was made: its links take along what was chosen and zoomed since. */
  document.addEventListener("htmx:configRequest", ({ detail }) => {
    const [path, query] = detail.path.split("?");
    if (!now || detail.verb !== "get" || (path && path !== location.pathname)) return;
    const here = new URL(location.href).searchParams;
    const asked = new URLSearchParams(query);
    for (const name of ["ls", "zoom"]) {
      asked.delete(name);
      delete detail.parameters[name];
      if (here.get(name)) asked.set(name, here.get(name));
    }
    detail.path = `${path}?${asked}`;
  });
  document.addEventListener("toggle", (event) => {
    if (!(event.target instanceof Element) || !event.target.matches("[data-fold]")) return;
    folds.set(event.target.dataset.fold, event.target.open);
    now?.draw();
  }, true);
  for (const name of ["htmx:afterSettle", "htmx:oobAfterSwap"]) document.addEventListener(name, begin);
  document.addEventListener("themechange", () => now?.draw());
  NARROW.addEventListener("change", () => now?.draw());
  addEventListener("beforeprint", () => now?.plain());
  addEventListener("afterprint", () => now?.draw());
  window.strip.begin = begin;
})();
