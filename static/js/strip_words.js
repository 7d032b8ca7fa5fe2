/* What the strip reads out of one lane at one lumisection: lines of [text, class], which are written as text, never as markup. */
(() => {
  "use strict";
  const { textOf, holding, lumi } = window.lumisections;
  const MOST_DEFECTS = 8;

  const time = (strip, at) => {
    const began = strip.began[at - 1];
    return strip.data.started && began ? `${new Date(began * 1000).toISOString().slice(11, 19)} UTC` : "";
  };

  /* The luminosity lane, and wherever there is no lane. */
  const facts = (columns, at) => {
    const number = (name, written) => { const value = columns[name]?.[at - 1]; return value === null || value === undefined ? "–" : written(value); };
    return [[`recorded ${number("recorded_inv_nb", lumi)} of ${number("delivered_inv_nb", lumi)}`], [`pile-up ${number("pileup", String)}`]];
  };

  /* A defect says who said it; other lanes have one word for all of a kind, a machine's also what it found. */
  const said = (strip, { part, range }, lane, at) => {
    const where = textOf([range]);
    if (typeof part.said !== "number") {
      const lines = [[`${where} · ${part.said}`]];
      const finding = lane.findings?.find(({ ranges }) => holding(ranges, at));
      if (finding) lines.push([`${finding.defect || "no defect suspected"}, score ${finding.score === null ? "–" : finding.score.toFixed(3)}`], ["waits for review", "quiet"]);
      return lines;
    }
    const [state, user, when, comment] = strip.data.said[part.said];
    return [[`${where} · ${state}`], [[user, when && `${when} UTC`].filter(Boolean).join(", "), "quiet"], ...(comment ? [[comment, "strip-tip-comment"]] : [])];
  };

  const score = (lane, at) => {
    const value = lane.scores[at - 1];
    const thresholds = lane.thresholds.map(([kind, limit]) => [`${kind} ${kind === "good" ? "below" : "above"} ${Number(limit.toPrecision(3))}`, "quiet"]);
    const missing = lane.hidden && holding(lane.hidden, at) ? `hidden from you until ${lane.until}` : "not scored";
    return [[value === null ? missing : `score ${(value / 1000).toFixed(3)}`], ...thresholds];
  };

  const system = (strip, lane, at) => {
    const here = lane.of.map((key) => strip.data.lanes[key]).filter((one) => one.parts.some(({ kind, ranges }) => kind !== "absent" && holding(ranges, at)));
    const lines = here.slice(0, MOST_DEFECTS).map((one) => [one.name, one.intolerable ? "strip-tip-int" : ""]);
    const more = here.length > MOST_DEFECTS ? [[`and ${here.length - MOST_DEFECTS} more`, "quiet"]] : [];
    return [[`${lane.name} · ${lane.reading}`, "strip-tip-name"], ...(lines.length ? lines : [["no defect here", "quiet"]]), ...more];
  };

  window.stripWords = (strip, row, at) => {
    const when = time(strip, at);
    const head = [[when ? `LS ${at} · ${when}` : `LS ${at}`, "strip-tip-at"]];
    if (!row || row.key === "luminosity") return [...head, ...facts(strip.data.columns, at)];
    const { lane } = row;
    if (!lane) return head;
    if (lane.scores) return [...head, [lane.name, "strip-tip-name"], ...score(lane, at)];
    if (lane.of?.length) return [...head, ...system(strip, lane, at)];
    const name = [lane.name, lane.intolerable ? "strip-tip-name strip-tip-int" : "strip-tip-name"];
    const hit = strip.found(row, at);
    return [...head, name, ...(hit ? said(strip, hit, lane, at) : [["nothing here", "quiet"]])];
  };
})();
