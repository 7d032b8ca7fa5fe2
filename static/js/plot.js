/* <figure class="plot" data-plot="ID"> is drawn from <script type="application/json" id="ID">{"data": [...], "layout": {...}}</script>.
   A colour written "var(--good)" anywhere in it is the token's colour in the theme of the moment. Figures that appear later are drawn,
   figures that go are purged, whatever moved them; Plotly itself (1.5 MB) is fetched only when a page has the first figure.
   With data-opens a click on a point goes to the address in its customdata. */
(() => {
  "use strict";
  const source = document.currentScript.dataset.plotly;
  const drawn = new Set();
  let loading = null;

  const plotly = () => {
    loading ??= new Promise((resolve, reject) => {
      if (window.Plotly) return resolve(window.Plotly);
      const script = document.createElement("script");
      script.src = source;
      script.onload = () => resolve(window.Plotly);
      script.onerror = () => reject(new Error(`${source} did not load`));
      document.head.append(script);
    });
    return loading;
  };

  /* A token is resolved by asking the browser for the colour of an element inside the figure, so a themed part of a page keeps its own theme. */
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const resolver = (figure) => {
    const probe = document.createElement("span");
    probe.hidden = true;
    figure.append(probe);
    const known = new Map();
    const colour = (text) => {
      if (known.has(text)) return known.get(text);
      probe.style.color = "";
      probe.style.color = text;
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = getComputedStyle(probe).color;
      canvas.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
      const answer = a === 255 ? `rgb(${r}, ${g}, ${b})` : `rgba(${r}, ${g}, ${b}, ${(a / 255).toFixed(3)})`;
      known.set(text, answer);
      return answer;
    };
    colour.done = () => probe.remove();
    return colour;
  };

  const themed = (value, colour) => {
    if (typeof value === "string") return value.startsWith("var(--") || value.startsWith("color-mix(") ? colour(value) : value;
    /* Numbers are left as they are, thousands of them; a step of a colour scale is a number and a colour. */
    if (Array.isArray(value)) return typeof value[0] === "number" && typeof value[1] !== "string" ? value : value.map((item) => themed(item, colour));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, themed(item, colour)]));
    }
    return value;
  };

  const merge = (under, over) => {
    const result = { ...under };
    for (const [key, value] of Object.entries(over || {})) {
      const both = value && typeof value === "object" && !Array.isArray(value) && typeof under[key] === "object";
      result[key] = both ? merge(under[key], value) : value;
    }
    return result;
  };

  const house = (layout) => {
    const font = getComputedStyle(document.body).fontFamily;
    const axis = {
      color: "var(--ink2)", gridcolor: "var(--line2)", linecolor: "var(--line)", zerolinecolor: "var(--line)", tickcolor: "var(--line)",
      automargin: true, fixedrange: false, tickfont: { size: 11 }, title: { font: { size: 12 }, standoff: 8 }, hoverformat: ".4~g",
    };
    const base = {
      paper_bgcolor: "rgba(0, 0, 0, 0)", plot_bgcolor: "rgba(0, 0, 0, 0)", autosize: true,
      font: { family: font, size: 12, color: "var(--ink2)" },
      margin: { l: 48, r: 12, t: 12, b: 38 }, bargap: 0.25, hovermode: "closest",
      colorway: ["var(--accent)", "var(--flag)", "var(--unsure)", "var(--good)", "var(--bad)", "var(--tolerable)"],
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", traceorder: "normal", font: { size: 12 } },
      hoverlabel: { bgcolor: "var(--panel)", bordercolor: "var(--edge)", font: { family: font, size: 12, color: "var(--ink)" } },
      modebar: { bgcolor: "rgba(0, 0, 0, 0)", color: "var(--ink2)", activecolor: "var(--ink)" },
      xaxis: { ...axis, showgrid: false }, yaxis: axis,
    };
    for (const name of Object.keys(layout || {})) if (/^[xy]axis\d+$/.test(name)) base[name] = axis;
    return merge(base, layout);
  };

  const config = { displaylogo: false, responsive: false, displayModeBar: "hover", plotlyServerURL: "", modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"] };
  const resizing = new ResizeObserver((entries) => {
    for (const { target, contentRect } of entries) if (contentRect.width && target.classList.contains("drawn")) window.Plotly.Plots.resize(target);
  });

  /* For scripts that make their figure themselves. */
  window.housePlot = { plotly, resolver };

  /* A point of a figure with data-opens leads to the address that it carries, as a link does. */
  const open = ({ points, event }) => {
    const address = points[0]?.customdata;
    if (typeof address !== "string" || !address.startsWith("/")) return;
    if (event.ctrlKey || event.metaKey) window.open(address, "_blank", "noopener");
    else location.assign(address);
  };

  const draw = async (figure) => {
    const script = document.getElementById(figure.dataset.plot);
    if (!script) return;
    let Plotly;
    try {
      Plotly = await plotly();
    } catch {
      figure.textContent = "The plot could not be drawn; the table holds its numbers.";
      return;
    }
    if (!figure.isConnected) return;
    const { data, layout } = JSON.parse(script.textContent);
    const colour = resolver(figure);
    const ready = [themed(data, colour), themed(house(layout), colour)];
    colour.done();
    if (!drawn.has(figure)) figure.replaceChildren();
    await Plotly.react(figure, ...ready, config);
    if ("opens" in figure.dataset && !drawn.has(figure)) figure.on("plotly_click", open);
    figure.classList.add("drawn");
    drawn.add(figure);
    resizing.observe(figure);
  };

  const forget = (figure) => {
    if (!drawn.delete(figure)) return;
    resizing.unobserve(figure);
    window.Plotly.purge(figure);
  };

  const within = (node, selector) => (node instanceof Element ? [...(node.matches(selector) ? [node] : []), ...node.querySelectorAll(selector)] : []);
  const watch = (records) => {
    const due = new Set();
    let removed = false;
    for (const record of records) {
      if (record.target instanceof Element && record.target.closest("figure[data-plot], .strip-figure")) continue;
      removed ||= record.removedNodes.length > 0;
      for (const node of record.addedNodes) {
        within(node, "figure[data-plot]").forEach((figure) => due.add(figure));
        for (const script of within(node, 'script[type="application/json"][id]')) {
          document.querySelectorAll(`figure[data-plot="${CSS.escape(script.id)}"]`).forEach((figure) => due.add(figure));
        }
      }
    }
    if (removed) for (const figure of [...drawn]) if (!figure.isConnected) forget(figure);
    due.forEach(draw);
  };

  document.querySelectorAll("figure[data-plot]").forEach(draw);
  new MutationObserver(watch).observe(document.body, { childList: true, subtree: true });
  document.addEventListener("themechange", () => drawn.forEach(draw));
  /* Paper is white: plots are drawn in light for it, and back afterwards. */
  const root = document.documentElement;
  let before = null;
  addEventListener("beforeprint", () => { before = root.dataset.theme ?? ""; root.dataset.theme = "light"; drawn.forEach(draw); });
  addEventListener("afterprint", () => {
    if (before === null) return;
    if (before) root.dataset.theme = before;
    else delete root.dataset.theme;
    before = null;
    drawn.forEach(draw);
  });
})();
