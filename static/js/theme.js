/* Light, dark or as the system says. Runs before the first paint; the choice lives in the cookie `theme`, so that the
   server can render it. Fires `themechange` on the document whenever colours may have changed. */
(() => {
  "use strict";
  const root = document.documentElement;
  const choices = ["system", "light", "dark"];
  const chosen = () => (document.cookie.match(/(?:^|;\s*)theme=(light|dark)(?:;|$)/) || [])[1] || "system";
  const announce = () => document.dispatchEvent(new CustomEvent("themechange"));

  const apply = (choice) => {
    if (choice === "system") delete root.dataset.theme;
    else root.dataset.theme = choice;
  };

  const label = () => {
    for (const button of document.querySelectorAll("[data-theme-button]")) {
      const choice = chosen();
      button.title = `Theme: ${choice}`;
      button.querySelector("[data-theme-word]").textContent = choice;
    }
  };

  root.classList.add("js");
  apply(chosen());
  document.addEventListener("DOMContentLoaded", label);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", announce);
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-theme-button]")) return;
    const next = choices[(choices.indexOf(chosen()) + 1) % choices.length];
    const age = next === "system" ? 0 : 31536000;
    document.cookie = `theme=${next}; path=/; max-age=${age}; samesite=lax`;
    apply(next);
    label();
    announce();
  });
})();
