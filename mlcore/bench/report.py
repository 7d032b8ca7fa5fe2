"""`python -m mlcore.bench.report FILE... --page docs/mlcore.md --plots docs/plots/bench`: the measured tables, to read.

Writes between the markers `<!-- tables -->` and `<!-- /tables -->` of the page, and one picture per table. The pictures
need matplotlib, which comes with the development requirements.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- tables -->", "<!-- /tables -->"
OURS, PEER, TARGET = "#0b5fa5", "#8795a5", "#c23f1c"

Row = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m mlcore.bench.report", description="Write measured tables into a page."
    )
    parser.add_argument("figures", type=Path, nargs="+", help="what calls of `python -m mlcore.bench --json` wrote")
    parser.add_argument("--page", type=Path, required=True, help="the Markdown page with the two markers")
    parser.add_argument("--plots", type=Path, help="folder for one picture per table")
    options = parser.parse_args(arguments)
    document = together([json.loads(path.read_text()) for path in options.figures])
    tables: dict[str, list[Row]] = {}
    for row in document["rows"]:
        tables.setdefault(row["name"], []).append(row)
    pictures: dict[str, str] = {}
    if options.plots:
        options.plots.mkdir(parents=True, exist_ok=True)
        for name, rows in tables.items():
            target = options.plots / f"{name}.png"
            draw(rows, target)
            pictures[name] = target.relative_to(options.page.parent).as_posix()
    options.page.write_text(placed(options.page.read_text(), as_markdown(tables, pictures, document)))
    return 0


def together(documents: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Tables that were measured in several calls as one document. Raises ValueError where a table is in two of them, or
    they come from different machines: figures of one page are comparable."""
    names = [name for document in documents for name in dict.fromkeys(row["name"] for row in document["rows"])]
    if len(names) > len(set(names)):
        raise ValueError("A table was measured twice; say which of the two counts.")
    if len({(document["machine"], document["python"]) for document in documents}) > 1:
        raise ValueError("These tables were measured on different machines; measure them on one.")
    rows = [row for document in documents for row in document["rows"]]
    seconds = sum(document["wall_seconds"] for document in documents)
    return {**documents[0], "rows": rows, "wall_seconds": seconds}


def placed(page: str, text: str) -> str:
    """The page with `text` between its markers. Raises ValueError when it has none."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"The page has no place for the tables: write {BEGIN} and {END} on lines of their own.")
    return f"{before}{BEGIN}\n\n{text}\n{END}{after}"


def as_markdown(tables: dict[str, list[Row]], pictures: dict[str, str], document: dict[str, Any]) -> str:
    minutes = document["wall_seconds"] / 60
    reached = sum(row["reached"] for rows in tables.values() for row in rows)
    total = sum(len(rows) for rows in tables.values())
    summary = (
        f"{reached} of {total} rows reach their target. Measured in {minutes:.0f} minutes on {document['machine']} "
        f"with Python {document['python']}; mean ± standard deviation over the seeds; CPU seconds of ours alone.\n"
    )
    parts = [summary]
    for name, rows in tables.items():
        parts.append(f"### {name}\n")
        parts.append("| task | published | must reach | ours | | best peer | best possible | CPU s | MB |")
        parts.append("|---|---|---|---|---|---|---|---|---|")
        parts += [_line(row) for row in rows]
        parts.append("")
        notes = dict.fromkeys(row["note"] for row in rows if row["note"])
        parts += [f"{note}\n" for note in notes]
        if name in pictures:
            parts.append(f"![{name}: ours, the peers and the target of each row]({pictures[name]})\n")
    return "\n".join(parts)


def _line(row: Row) -> str:
    sign = "≥" if row["better"] == "higher" else "≤"
    best = _best_peer(row)
    peer = f"{best[0]}: {best[1]['value']:.4f}" if best else "–"
    bayes = "–" if row["bayes"] is None else f"{row['bayes']:.4f}"
    verdict = "reached" if row["reached"] else "**missed**"
    ours = f"{row['value']:.4f} ± {row['spread']:.4f} | {verdict}"
    return (
        f"| {row['task']} | {row['published']} | {sign} {row['target']:g} | {ours} | {peer} | {bayes} "
        f"| {row['seconds']:.1f} | {row['peak_memory_mb']:.0f} |"
    )


def _best_peer(row: Row) -> tuple[str, dict[str, Any]] | None:
    peers = [(name, peer) for name, peer in row["peers"].items() if peer["value"] == peer["value"]]
    if not peers:
        return None
    pick = max if row["better"] == "higher" else min
    return pick(peers, key=lambda item: float(item[1]["value"]))


def draw(rows: list[Row], target: Path) -> None:
    """One picture of a table: a line per row, ours filled, peers hollow, the target a stroke."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8.0, 0.8 + 0.42 * len(rows)), layout="constrained")
    for place, row in enumerate(reversed(rows)):
        peers = [peer["value"] for peer in row["peers"].values()]
        axes.plot(peers, [place] * len(peers), "o", mfc="none", mec=PEER, ms=6, label="peers" if place == 0 else None)
        axes.errorbar(
            row["value"], place, xerr=row["spread"], fmt="o", color=OURS, ms=7, label="ours" if place == 0 else None
        )
        axes.plot(row["target"], place, "|", color=TARGET, ms=16, mew=2, label="target" if place == 0 else None)
    axes.set_yticks(range(len(rows)), [_short(row["task"]) for row in reversed(rows)])
    axes.grid(axis="x", color="#dde3ea", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.margins(y=0.15)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False)
    figure.savefig(target, dpi=110)
    plt.close(figure)


def _short(task: str) -> str:
    return task if len(task) <= 46 else f"{task[:45]}…"


if __name__ == "__main__":
    raise SystemExit(main())
