/* Keys of a run page: each clicks or focuses what stands there, so the page works without them. Silent while somebody types, with a modifier, in
   a dialog, and where they were turned off (in the list that ? opens). */
(() => {
  "use strict";
  const STORED = "run-keys";
  const off = () => {
    try { return localStorage.getItem(STORED) === "off"; } catch { return false; }
  };
  const states = { p: "present", r: "recoverable", a: "absent" };

  const press = (key) => {
    if (key === "s") return document.querySelector(".strip-host")?.focus();
    if (key === "[" || key === "]") return window.strip?.step(key === "[" ? -1 : 1, false);
    if (key === "{" || key === "}") return window.strip?.step(key === "{" ? -1 : 1, true);
    if (states[key]) return document.querySelector(`#record-form input[name="state"][value="${states[key]}"]`)?.click();
    const element = document.querySelector(`[data-key="${CSS.escape(key === "=" ? "+" : key)}"]`);
    if (element?.matches("input, textarea")) {
      element.focus();
      element.select();
    } else element?.click();
    return element;
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target instanceof Element ? event.target.closest("input:not([type=radio]), textarea, select, [contenteditable]") : null;
    if (typing) {
      if (event.key === "Escape" && typing.getAttribute("aria-expanded") !== "true") typing.blur();
      return;
    }
    if (document.querySelector("dialog[open]") || (off() && event.key !== "?")) return;
    if (!/^[a-z?+=0[\]{}-]$/.test(event.key)) return;
    const known = /^[sdlpracuz?+=0[\]{}-]$/.test(event.key);
    if (!known) return;
    event.preventDefault();
    press(event.key);
  });

  const box = () => document.querySelector("[data-run-keys]");
  const show = () => { if (box()) box().checked = !off(); };
  document.addEventListener("change", (event) => {
    if (event.target !== box()) return;
    try { localStorage.setItem(STORED, box().checked ? "on" : "off"); } catch { show(); }
  });
  show();
})();
