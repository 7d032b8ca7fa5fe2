/* Pointer, wheel and keys of the strip. Drag chooses (Ctrl or Shift adds a range), a click takes the stretch below it, a drag on the numbers
   pans, Ctrl and the wheel zoom, Shift and the wheel pan. With the keyboard: see templates/web/_run_keys.html. */
(() => {
  "use strict";
  const { merged } = window.lumisections;
  const A_CLICK = 4;

  const listen = (strip) => {
    const { host } = strip;
    let drag = null;

    const chosenBy = (event) => {
      const [from, to] = [drag.at, strip.at(event.clientX)];
      return [...drag.before, [Math.min(from, to), Math.max(from, to)]];
    };

    host.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      const onAxis = event.clientY < host.getBoundingClientRect().top + strip.head;
      const adds = event.ctrlKey || event.metaKey || event.shiftKey;
      drag = { x: event.clientX, at: strip.at(event.clientX), before: adds ? strip.chosen : [], pans: onAxis, view: strip.view };
      host.setPointerCapture(event.pointerId);
      strip.hush();
    });

    let reading = 0;
    host.addEventListener("pointermove", (event) => {
      if (drag?.pans) {
        const moved = ((drag.x - event.clientX) / strip.width) * (drag.view[1] - drag.view[0]);
        strip.show(drag.view[0] + moved, drag.view[1] + moved);
      } else if (drag) {
        if (Math.abs(event.clientX - drag.x) < A_CLICK && !drag.moved) return;
        drag.moved = true;
        strip.choose(chosenBy(event), "drag");
      } else if (!reading) {
        reading = requestAnimationFrame(() => {
          reading = 0;
          strip.read_out(strip.rowAt(event.clientY), strip.at(event.clientX), event.clientX, event.clientY);
        });
      }
    });

    host.addEventListener("pointerup", (event) => {
      if (!drag) return;
      const { pans, moved, before } = drag;
      const ranges = chosenBy(event);
      drag = null;
      if (pans) return;
      if (moved) return strip.choose(ranges);
      const row = strip.rowAt(event.clientY);
      const at = strip.at(event.clientX);
      const hit = strip.found(row, at);
      const finding = row?.lane?.findings?.find((one) => one.ranges.some(([first, last]) => first <= at && at <= last));
      const taken = finding ? finding.ranges : hit ? [hit.range] : [[at, at]];
      strip.cursor = at;
      strip.choose([...before, ...taken]);
    });
    host.addEventListener("pointercancel", () => { drag = null; });
    host.addEventListener("pointerleave", () => { cancelAnimationFrame(reading); reading = 0; if (!drag) strip.hush(); });
    host.addEventListener("dblclick", () => strip.zoomTo(strip.whole ? "selection" : "all"));

    host.addEventListener("wheel", (event) => {
      const length = strip.view[1] - strip.view[0];
      const sideways = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
      if (event.ctrlKey || event.metaKey) strip.zoom(Math.exp(Math.min(Math.max(event.deltaY, -100), 100) / 300), strip.at(event.clientX));
      else if (Math.abs(sideways) > Math.abs(event.shiftKey ? 0 : event.deltaY)) strip.pan((sideways / strip.width) * length);
      else return;
      event.preventDefault();
      strip.hush();
    }, { passive: false });

    host.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -strip.last, End: strip.last }[event.key];
      if (step) window.strip.step(step, event.shiftKey);
      else if (event.key === "ArrowUp" || event.key === "ArrowDown") {
        const place = strip.rows.indexOf(strip.row) + (event.key === "ArrowUp" ? -1 : 1);
        strip.row = strip.rows[Math.min(Math.max(place, 0), strip.rows.length - 1)];
        tell(strip);
      } else if (event.key === "Enter" && strip.cursor) {
        const hit = strip.found(strip.row, strip.cursor);
        strip.choose([hit ? hit.range : [strip.cursor, strip.cursor]]);
      } else if (event.key === "Escape") {
        strip.hush();
        strip.choose([]);
      } else return;
      event.preventDefault();
    });
    host.addEventListener("blur", () => strip.hush());

    strip.section.addEventListener("click", (event) => {
      const button = event.target instanceof Element ? event.target.closest("[data-zoom]") : null;
      if (button) strip.zoomTo(button.dataset.zoom);
    });
  };

  /* The cursor is read out beside itself, and spoken. */
  const tell = (strip) => {
    strip.row ||= strip.rows[0];
    if (!strip.row || !strip.cursor) return;
    const box = strip.host.getBoundingClientRect();
    const [x, y] = [box.left + strip.place(strip.cursor), box.top + strip.head + strip.row.y + strip.row.height / 2];
    strip.read_out(strip.row, strip.cursor, x, y);
    strip.spoken.textContent = window.stripWords(strip, strip.row, strip.cursor).map(([text]) => text).join(", ");
  };

  /* One lumisection further. With `extends` the end of the last range moves, else the whole choice is one lumisection. */
  const step = (by, extend) => {
    const strip = window.strip.now;
    if (!strip) return;
    const end = strip.chosen.at(-1);
    const from = strip.cursor ?? (end ? end[by < 0 ? 0 : 1] : Math.max(Math.round(strip.view[0] - 0.5), 0));
    strip.cursor = Math.min(Math.max(from + by, 1), strip.last);
    if (extend) {
      strip.anchor ??= end ? end[0] : from || 1;
      strip.choose([...strip.chosen.slice(0, -1), [Math.min(strip.anchor, strip.cursor), Math.max(strip.anchor, strip.cursor)]]);
    } else {
      strip.anchor = strip.cursor;
    }
    const [first, last] = strip.view;
    if (strip.cursor < first || strip.cursor > last) strip.pan(strip.cursor < first ? strip.cursor - first - 1 : strip.cursor - last + 1);
    tell(strip);
  };

  window.strip.listen = listen;
  window.strip.step = step;
  window.strip.add = (ranges) => window.strip.now?.choose(merged([...window.strip.now.chosen, ...ranges]));
  window.strip.begin();
})();
