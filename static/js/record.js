/* The form that records a defect: what is chosen on the strip and what stands in the field are one; defects by type-ahead; what one typed is
   kept in the browser until it is recorded, whatever happens to the session. The form works without any of it. */
(() => {
  "use strict";
  const form = () => document.querySelector("#record-form form[data-record]");
  const field = (name) => form()?.elements[name];
  const drawPreview = () => window.strip?.now?.preview();

  /* -- the strip and the field ------------------------------------------------------------------------------------------------------ */

  let writing = false;
  document.addEventListener("strip:chosen", (event) => {
    const input = field("lumisections");
    if (!input || input.value === event.detail.text) return;
    writing = true;
    input.value = event.detail.text;
    input.dispatchEvent(new Event("input", { bubbles: true }));
    writing = false;
  });
  document.addEventListener("input", (event) => {
    if (!writing && event.target === field("lumisections")) window.strip?.choose(event.target.value);
  });
  document.addEventListener("strip:drawn", () => {
    const input = field("lumisections");
    if (input?.value && !window.strip.now.chosen.length) window.strip.choose(input.value);
  });

  /* -- drafts ------------------------------------------------------------------------------------------------------------------------ */

  const NAMES = ["defect", "lumisections", "comment"];
  const key = () => `record-${form()?.dataset.record}`;
  const keep = () => {
    try {
      const typed = Object.fromEntries(NAMES.map((name) => [name, field(name).value]));
      typed.state = new FormData(form()).get("state");
      if (typed.defect || typed.comment) sessionStorage.setItem(key(), JSON.stringify(typed));
      else sessionStorage.removeItem(key());
    } catch { /* A browser that keeps nothing keeps nothing. */ }
  };
  const forget = () => { try { sessionStorage.removeItem(key()); } catch { /* as above */ } };
  const restore = () => {
    if (!form() || field("defect").value || field("comment").value) return;
    let typed = null;
    try { typed = JSON.parse(sessionStorage.getItem(key())); } catch { return; }
    if (!typed) return;
    for (const name of NAMES) if (!field(name).value) field(name).value = typed[name] || "";
    const state = form().querySelector(`input[name="state"][value="${CSS.escape(typed.state || "present")}"]`);
    if (state) state.checked = true;
    form().dispatchEvent(new Event("change", { bubbles: true }));
  };
  document.addEventListener("input", (event) => { if (event.target.form && event.target.form === form()) keep(); });
  document.addEventListener("change", (event) => { if (event.target.form && event.target.form === form()) keep(); });

  /* -- after an answer --------------------------------------------------------------------------------------------------------------- */

  document.addEventListener("recorded", () => {
    forget();
    const address = new URL(location.href);
    address.searchParams.delete("recorded");
    history.replaceState(history.state, "", address);
    window.strip?.now?.choose([], "form");
  });
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.detail.target?.id !== "record-form") return;
    document.querySelector("#record-form [aria-invalid], #record-form [role=alert]")?.focus();
  });
  for (const name of ["htmx:afterSettle", "htmx:oobAfterSwap"]) {
    document.addEventListener(name, (event) => { if (event.detail.target?.id === "strip-preview" || event.detail.target?.id === "record-effect") drawPreview(); });
  }

  /* -- Enter records; in the comment it is a new line, and with Ctrl records ------------------------------------------------------------ */

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.target.form || event.target.form !== form()) return;
    const comment = event.target === field("comment");
    if (comment && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      form().requestSubmit(form().querySelector("[name=record]"));
    }
  });

  /* -- type-ahead ---------------------------------------------------------------------------------------------------------------------- */

  let list = null;
  let asked = 0;
  /* Somebody types on while the answer to less is shown: Enter and Tab then wait for the answer to what stands there, also where the next field
     has been reached meanwhile. */
  let stale = false;
  let entered = false;
  const input = () => field("defect");
  const options = () => [...(list?.querySelectorAll("[role=option]") || [])];
  const current = () => list?.querySelector("[aria-selected=true]");
  let waiting = 0;
  const close = () => {
    clearTimeout(waiting);
    asked++;
    list?.remove();
    list = null;
    stale = entered = false;
    input()?.setAttribute("aria-expanded", "false");
    input()?.removeAttribute("aria-activedescendant");
  };
  const point = (option) => {
    for (const one of options()) one.setAttribute("aria-selected", one === option ? "true" : "false");
    option?.scrollIntoView({ block: "nearest" });
    if (option) input().setAttribute("aria-activedescendant", option.id);
  };
  const take = (option) => {
    input().value = option.dataset.value;
    field("comment").required = option.dataset.needsComment === "true";
    close();
    input().dispatchEvent(new Event("change", { bubbles: true }));
  };
  const open = async () => {
    const combo = input()?.closest(".combo");
    if (!combo) return;
    const mine = ++asked;
    const typed = input().value;
    const answer = await fetch(`${combo.dataset.choices}?q=${encodeURIComponent(typed)}`, { headers: { "X-Requested-With": "fetch" } }).catch(() => null);
    const here = () => document.activeElement === input();
    if (mine !== asked || (!here() && !entered)) return;
    if (!answer?.ok) { stale = entered = false; if (!here()) close(); return; }
    const text = await answer.text();
    /* Of what was typed since, another answer is on its way. */
    if (mine !== asked || input().value !== typed) return;
    if (!list) {
      list = document.createElement("ul");
      /* What can be scrolled could be reached with Tab. */
      Object.assign(list, { className: "combo-list", id: "combo-list", tabIndex: -1 });
      list.setAttribute("role", "listbox");
      list.setAttribute("aria-label", "Defects");
      combo.append(list);
    }
    list.innerHTML = text;
    input().setAttribute("aria-expanded", "true");
    point(options()[0]);
    stale = false;
    if (entered && current()) take(current());
    else if (!here()) close();
    entered = false;
  };
  const dress = () => {
    const box = input();
    if (!box || box.getAttribute("role") === "combobox") return;
    box.removeAttribute("list");
    for (const [name, value] of [["role", "combobox"], ["aria-autocomplete", "list"], ["aria-expanded", "false"], ["aria-controls", "combo-list"]]) box.setAttribute(name, value);
  };
  document.addEventListener("input", (event) => {
    if (event.target !== input()) return;
    clearTimeout(waiting);
    stale = true;
    waiting = setTimeout(open, 90);
  });
  document.addEventListener("focusin", (event) => { if (event.target === input() && !input().value) open(); });
  document.addEventListener("focusout", (event) => { if (event.target === input() && !entered) close(); });
  document.addEventListener("pointerdown", (event) => {
    const option = event.target instanceof Element ? event.target.closest(".combo-option") : null;
    if (!option) return;
    event.preventDefault();
    take(option);
  });
  document.addEventListener("keydown", (event) => {
    if (event.target !== input()) return;
    if (event.key === "ArrowDown" && !list) { event.preventDefault(); return open(); }
    if (event.key === "Enter" && stale) {
      event.preventDefault();
      entered = true;
      return;
    }
    if (event.key === "Tab" && stale && input().value) entered = true;
    if (!list) return;
    const all = options();
    const at = all.indexOf(current());
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (all.length) point(all[(at + (event.key === "ArrowDown" ? 1 : all.length - 1)) % all.length]);
    } else if (event.key === "Enter" && current()) {
      event.preventDefault();
      take(current());
    } else if (event.key === "Tab" && !stale && current() && input().value) take(current());
    else if (event.key === "Escape") { event.preventDefault(); event.stopPropagation(); close(); }
  }, true);

  const begin = () => { dress(); restore(); };
  document.addEventListener("htmx:afterSettle", begin);
  begin();
  if (form() && field("defect")?.value) document.getElementById("record-effect")?.dispatchEvent(new Event("preview"));
})();
