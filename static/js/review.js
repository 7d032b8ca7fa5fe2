/* One key for each act in the review queue. The page works without it: every key clicks or focuses what stands there.

   Keys are silent while somebody types, with a modifier, in a dialog, while an answer is on its way, and where they were turned off. What
   decides waits until the evidence is there: a key pressed twice would decide an item that nobody has seen. */
(() => {
  "use strict";
  const STORED = "review-keys";
  const off = () => {
    try { return localStorage.getItem(STORED) === "off"; } catch { return false; }
  };
  const DECIDES = "ax";
  let waiting = false;
  const busy = (key) => waiting || (DECIDES.includes(key) && document.querySelector("#evidence[aria-busy]") !== null);

  const press = (element) => {
    if (element.matches("input, textarea, select")) {
      element.focus();
      element.select?.();
    } else if (element.matches("summary")) {
      element.parentElement.open = true;
      element.parentElement.querySelector("input:not([type=hidden])")?.focus();
    } else {
      element.click();
    }
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    const target = event.target instanceof Element ? event.target : null;
    const typing = target?.closest("input, textarea, select, [contenteditable]");
    if (typing) {
      if (event.key === "Escape") typing.blur();
      return;
    }
    if (event.key === "Escape" || document.querySelector("dialog[open]")) return;
    if (off() && event.key !== "?") return;
    if (!/^[a-z?]$/.test(event.key) || (event.key !== "?" && busy(event.key))) return;
    const element = document.querySelector(`[data-key="${event.key}"]`);
    if (!element) return;
    event.preventDefault();
    press(element);
  });

  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("[data-focus]") : null;
    if (button) press(document.getElementById(button.dataset.focus));
  });

  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("[data-fill]") : null;
    if (button) document.getElementById(button.dataset.fill).value = button.textContent;
  });

  /* The next key counts only when what it acts on is there. */
  const inReview = (event) => event.detail.target?.id === "review";
  document.addEventListener("htmx:beforeRequest", (event) => { if (inReview(event)) waiting = true; });
  document.addEventListener("htmx:afterSettle", () => { waiting = false; });
  document.addEventListener("htmx:afterSettle", (event) => { if (inReview(event)) document.querySelector("#decision [aria-invalid]")?.focus(); });
  for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout", "htmx:swapError"]) document.addEventListener(name, () => { waiting = false; });

  /* Turned on and off in the list of keys. */
  const box = () => document.querySelector("[data-review-keys]");
  const show = () => { if (box()) box().checked = !off(); };
  document.addEventListener("change", (event) => {
    if (event.target !== box()) return;
    try { localStorage.setItem(STORED, box().checked ? "on" : "off"); } catch { show(); }
  });
  show();

  /* The current line is in sight, within its list only. */
  const place = () => {
    const line = document.querySelector(".review-line[aria-current]");
    const list = line?.closest(".review-lines");
    if (list) list.scrollTop = Math.max(0, line.offsetTop - list.offsetTop - list.clientHeight / 3);
  };
  document.addEventListener("htmx:afterSettle", (event) => { if (event.detail.target?.id !== "held") place(); });
  place();

  /* Who leaves gives the item back: otherwise it would wait for its ten minutes. */
  const token = () => JSON.parse(document.body.getAttribute("hx-headers") || "{}")["X-CSRFToken"] || "";
  const giveBack = (held) => fetch(held.dataset.release, { method: "POST", keepalive: true, headers: { "X-CSRFToken": token(), "X-Leaving": "1" } });
  window.addEventListener("pagehide", () => {
    const held = document.querySelector("#held[data-release]");
    if (held) giveBack(held);
  });
  document.addEventListener("click", (event) => {
    const line = event.target instanceof Element ? event.target.closest("#review a[hx-get]") : null;
    const held = document.querySelector("#held[data-release]");
    if (line && held) giveBack(held);
  });
})();
