/* The viewer of one element: [ and ] step through its lumisections, a click on a column of the picture chooses it. */
(() => {
  "use strict";
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target instanceof Element && event.target.closest("input, textarea, select, [contenteditable]")) return;
    if (event.key === "[" || event.key === "]") document.querySelector(`[data-key="${event.key}"]`)?.click();
  });

  /* Plotly says what was clicked on the figure that it has drawn; figures come and go with every swap. */
  const listen = () => {
    for (const figure of document.querySelectorAll("figure.drawn[data-chooses]")) {
      if (figure.dataset.listens) continue;
      figure.dataset.listens = "true";
      figure.on("plotly_click", ({ points }) => {
        const edges = points[0].data.x;
        const column = points[0].pointIndex ? points[0].pointIndex[1] : points[0].pointNumber[1];
        const [first, last] = [Math.ceil(edges[column]), Math.floor(edges[column + 1])];
        const address = new URL(figure.dataset.chooses || "?", location.href);
        address.searchParams.set("ls", first === last ? `${first}` : `${first}-${last}`);
        window.htmx.ajax("GET", address.pathname + address.search, { target: "#element", swap: "outerHTML", push: address.pathname + address.search });
      });
    }
  };
  new MutationObserver(listen).observe(document.body, { subtree: true, attributes: true, attributeFilter: ["class"] });
})();
