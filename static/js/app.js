/* Small conveniences over pages that work without them. Everything listens on the document, so swapped parts need no set-up. */
(() => {
  "use strict";
  const closest = (event, selector) => (event.target instanceof Element ? event.target.closest(selector) : null);

  /* <a data-opens="id" href="the way without JavaScript"> opens a dialog. */
  document.addEventListener("click", (event) => {
    const opener = closest(event, "[data-opens]");
    if (!opener || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const dialog = document.getElementById(opener.dataset.opens);
    if (!dialog) return;
    event.preventDefault();
    dialog.showModal();
  });
  /* A click beside the dialog closes it: the dialog itself is the target only where its content is not. */
  document.addEventListener("click", (event) => {
    if (!(event.target instanceof HTMLDialogElement)) return;
    const box = event.target.getBoundingClientRect();
    const inside = event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom;
    if (!inside) event.target.close();
  });

  document.addEventListener("click", (event) => closest(event, "[data-dismiss]")?.closest(".message, .banner")?.remove());

  document.addEventListener("click", (event) => { if (closest(event, "[data-print]")) window.print(); });

  document.addEventListener("change", (event) => closest(event, "[data-autosubmit]")?.form?.requestSubmit());

  document.addEventListener("click", async (event) => {
    const button = closest(event, "[data-copy]");
    if (!button) return;
    const before = button.textContent;
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Copy it by hand";
    }
    setTimeout(() => (button.textContent = before), 1500);
  });

  /* Single keys can be turned off, for this browser: a page may ask window.keysWork(). The review's own list of keys has the same switch. */
  const KEYS = "review-keys";
  const keysWork = () => {
    try { return localStorage.getItem(KEYS) !== "off"; } catch { return true; }
  };
  window.keysWork = keysWork;
  const keysBox = document.querySelector("[data-keys]");
  if (keysBox) keysBox.checked = keysWork();
  document.addEventListener("change", (event) => {
    if (!closest(event, "[data-keys]")) return;
    try { localStorage.setItem(KEYS, event.target.checked ? "on" : "off"); } catch { event.target.checked = keysWork(); }
  });

  /* Menus close on a click elsewhere and on Escape. */
  const closeMenus = (except) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) if (menu !== except) menu.open = false;
  };
  document.addEventListener("click", (event) => closeMenus(closest(event, "details.menu")));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      const menu = document.querySelector("details.menu[open]");
      closeMenus(null);
      menu?.querySelector("summary")?.focus();
    }
    const typing = closest(event, "input, textarea, select, [contenteditable]");
    if (event.key === "/" && keysWork() && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      const search = document.querySelector("[data-search]");
      if (search) {
        event.preventDefault();
        search.focus();
        search.select?.();
      }
    }
  });

  /* A refusal that the server sends to a place of its own (#messages) is shown there, whatever its status. With DEBUG, django-htmx
     replaces the page by the answer to any 4xx; a refusal with its own place is not for it, so it does not get to see it. */
  const placed = (event) => event.detail.xhr.status >= 400 && event.detail.xhr.getResponseHeader("HX-Retarget");
  window.addEventListener("htmx:beforeOnLoad", (event) => { if (placed(event)) event.stopPropagation(); }, true);
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (!placed(event)) return;
    event.detail.shouldSwap = true;
    event.detail.isError = false;
  });

  /* An htmx request that was refused or got lost says so where every message stands. */
  const say = (text) => {
    const box = document.getElementById("messages");
    if (!box) return;
    const message = document.createElement("div");
    message.className = "message message-error";
    message.setAttribute("role", "alert");
    message.innerHTML = '<span class="message-glyph" aria-hidden="true">■</span><span class="message-text"><b>Not done.</b> </span>' +
      '<button class="message-close" type="button" data-dismiss aria-label="Dismiss">×</button>';
    message.querySelector(".message-text").append(text);
    box.replaceChildren(message);
    message.scrollIntoView({ block: "nearest" });
  };
  const refusals = {
    401: "You are no longer signed in. Open the page again and sign in.",
    403: "Your roles do not allow this, or the page is from before you signed in. Reload it and try again.",
    404: "It is no longer there. Reload the page.",
    413: "That is too large to be sent.",
  };
  document.addEventListener("htmx:responseError", (event) => {
    const status = event.detail?.xhr?.status;
    say(refusals[status] || `The server answered ${status}. Nothing was changed; try again.`);
  });
  document.addEventListener("htmx:sendError", () => say("The server could not be reached. Check the connection and try again."));
  document.addEventListener("htmx:timeout", () => say("The server took too long to answer. Reload the page to see what it did."));
})();
