/* The paths of the strip: what of its lanes is in view, in the coordinates of its figure. */
(() => {
  "use strict";
  const THICK = { int: 10, tol: 10, sum: 8, flag: 6, absent: 8, good: 6, bad: 6, unsure: 6, none: 6, ghost: 4, gain: 8, loss: 8 };
  const THINNEST = 1.6;

  const firstAfter = (ranges, from) => {
    let [low, high] = [0, ranges.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (ranges[middle][1] + 0.5 <= from) low = middle + 1;
      else high = middle;
    }
    return low;
  };

  window.StripPaths = class {
    constructor({ rows, view, width, data, last }) {
      Object.assign(this, { rows, view, width, data, last });
      this.made = new Map();
    }

    /* Of each kind one path: a comb whose teeth are the stretches. Its back runs to and fro along the foot of a lane and down the left edge, so
       that only teeth have an area. Only what is in view is drawn, no tooth is thinner than can be seen, and what no eye could tell apart is one. */
    comb(name) {
      if (!this.made.has(name)) this.made.set(name, { x: [this.view[0]], y: [0] });
      return this.made.get(name);
    }

    teeth({ x, y }, ranges, above, below) {
      const [from, to] = this.view;
      const pixel = (to - from) / this.width;
      const least = THINNEST * pixel;
      let place = firstAfter(ranges, from);
      if (place >= ranges.length || ranges[place][0] - 0.5 > to) return;
      x.push(from);
      y.push(below);
      for (; place < ranges.length && ranges[place][0] - 0.5 <= to; place++) {
        const left = Math.max(ranges[place][0] - 0.5, from);
        let right = ranges[place][1] + 0.5;
        while (place + 1 < ranges.length && ranges[place + 1][0] - 0.5 - Math.max(right, left + least) < pixel / 2) right = ranges[++place][1] + 0.5;
        right = Math.min(Math.max(right, left + least), to);
        x.push(left, left, right, right);
        y.push(below, above, above, below);
      }
      x.push(from);
      y.push(below);
    }

    all() {
      for (const row of this.rows) {
        const middle = row.y + row.height / 2;
        if (row.key === "luminosity") this.curves(row);
        else if (row.lane?.scores) this.scores(row);
        else {
          this.teeth(this.comb("hair"), [[1, this.last]], middle - 0.5, middle + 0.5);
          for (const { kind, ranges } of row.lane?.parts || []) {
            const half = THICK[kind] / 2;
            if (kind === "absent") {
              /* Hollow: its edges alone. */
              this.teeth(this.comb(kind), ranges, middle - half, middle - half + 1);
              this.teeth(this.comb(kind), ranges, middle + half - 1, middle + half);
            } else this.teeth(this.comb(kind), ranges, middle - half, middle + half);
          }
        }
      }
      return this.made;
    }

    /* [left, right, highest value] for each column of pixels in view; where lumisections are wider than one, for each lumisection. */
    *columns(values) {
      const [from, to] = this.view;
      const size = Math.max(Math.floor((to - from) / this.width), 1);
      const first = Math.max(Math.floor((from - 0.5) / size) * size, 0);
      for (let place = first; place < values.length && place + 0.5 < to; place += size) {
        let highest = null;
        for (let inner = place; inner < Math.min(place + size, values.length); inner++) if (values[inner] !== null && (highest === null || values[inner] > highest)) highest = values[inner];
        yield [Math.max(place + 0.5, from), Math.min(Math.min(place + size, values.length) + 0.5, to), highest];
      }
    }

    steps(name, values, at) {
      if (!this.made.has(name)) this.made.set(name, { x: [], y: [] });
      const { x, y } = this.made.get(name);
      for (const [left, right, value] of this.columns(values)) { x.push(left, right); y.push(value === null ? null : at(value), value === null ? null : at(value)); }
      x.push(null);
      y.push(null);
    }

    curves(row) {
      const { recorded_inv_nb: recorded, pileup } = this.data.columns;
      const scale = (values) => (0.96 * row.height) / Math.max(values.reduce((highest, value) => Math.max(highest, value || 0), 0), 1e-9);
      const base = row.y + row.height;
      if (recorded?.length) {
        const { x, y } = this.comb("luminosity");
        const unit = scale(recorded);
        x.push(this.view[0]);
        y.push(base);
        for (const [left, right, value] of this.columns(recorded)) { const at = base - unit * (value || 0); x.push(left, right); y.push(at, at); }
        x.push(x.at(-1), this.view[0]);
        y.push(base, base);
      }
      if (pileup?.some((value) => value !== null)) {
        const unit = scale(pileup);
        this.steps("pileup", pileup, (value) => base - unit * value);
      }
    }

    /* Scores by their root: most are near 0, and where good ends is what one looks at. */
    scores(row) {
      const at = (score) => row.y + row.height - 1 - (row.height - 2) * Math.sqrt(score);
      this.steps("score", row.lane.scores, (score) => at(score / 1000));
      for (const [kind, score] of row.lane.thresholds) {
        if (!this.made.has(`at-${kind}`)) this.made.set(`at-${kind}`, { x: [], y: [] });
        const { x, y } = this.made.get(`at-${kind}`);
        x.push(...this.view, null);
        y.push(at(score), at(score), null);
      }
    }
  };
})();
