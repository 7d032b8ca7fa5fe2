/* Sets of lumisections as a browser needs them: ascending, merged [first, last] pairs. certifier.lumi.LumiSet is what counts. */
(() => {
  "use strict";
  const rangesOf = (text) => (text ? text.split(" ").map((part) => { const [first, last] = part.split("-").map(Number); return [first, last || first]; }) : []);
  const textOf = (ranges) => ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(" ");
  const merged = (ranges) => {
    const result = [];
    for (const [first, last] of [...ranges].sort((a, b) => a[0] - b[0])) {
      const before = result.at(-1);
      if (before && first <= before[1] + 1) before[1] = Math.max(before[1], last);
      else result.push([first, last]);
    }
    return result;
  };
  /* What a person types: `1-4, 9 20-End`, `all`. Null where it is none; the server has the last word. */
  const parse = (text, end) => {
    if (/^\s*all\s*$/i.test(text)) return [[1, end]];
    const ranges = [];
    for (const part of text.split(/[\s,]+/).filter(Boolean)) {
      const match = /^(\d+)(?:-(\d+|end))?$/i.exec(part);
      if (!match) return null;
      const first = Number(match[1]);
      const last = match[2] ? (/^end$/i.test(match[2]) ? end : Number(match[2])) : first;
      if (first < 1 || last < first || first > end) return null;
      ranges.push([first, Math.min(last, end)]);
    }
    return merged(ranges);
  };
  const holding = (ranges, at) => {
    let [low, high] = [0, ranges.length - 1];
    while (low <= high) {
      const middle = (low + high) >> 1;
      if (ranges[middle][1] < at) low = middle + 1;
      else if (ranges[middle][0] > at) high = middle - 1;
      else return ranges[middle];
    }
    return null;
  };
  const lumi = (value) => {
    const [factor, unit] = value >= 1e6 ? [1e6, "/fb"] : value >= 1e3 ? [1e3, "/pb"] : [1, "/nb"];
    return `${Number((value / factor).toPrecision(3))} ${unit}`;
  };

  window.lumisections = { rangesOf, textOf, merged, parse, holding, lumi };
})();
