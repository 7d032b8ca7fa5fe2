"""`python -m mlcore.bench [NAME...] [--seeds 100-104] [--seed N] [--quick] [--json FILE]`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

REPORTED = "100-104"


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    # One thread each: figures compare methods, not libraries' thread pools. Must be set before numpy loads its BLAS.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    from mlcore import bench
    from mlcore.bench.processes import Measured, measure

    known = bench.names()
    unknown = [name for name in options.names if name not in known]
    if unknown:
        print(f"There is no table {', '.join(unknown)}. There are: {', '.join(known)}.", file=sys.stderr)
        return 2
    seeds = str(options.seed) if options.seed is not None else options.seeds
    chosen = options.names or known
    began = time.monotonic()
    if len(chosen) == 1:
        rows = bench.table(chosen[0]).run(seeds=_seeds(seeds), quick=options.quick)
        measured = Measured([row.as_json() for row in rows])
    else:
        measured = measure(chosen, seeds, quick=options.quick, jobs=options.jobs, say=_say)
    _show(measured.rows)
    for name, words in measured.failed.items():
        print(f"\n{name} FAILED:\n{words}", file=sys.stderr)
    if options.json:
        document = {
            "machine": platform.platform(),
            "python": platform.python_version(),
            "quick": options.quick,
            "wall_seconds": round(time.monotonic() - began, 1),
            "rows": measured.rows,
        }
        Path(options.json).write_text(json.dumps(document, indent=1, allow_nan=True) + "\n")
    return 1 if measured.failed else 0


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m mlcore.bench", description="The tables of mlcore beside their peers."
    )
    made.add_argument("names", nargs="*", metavar="NAME", help="tables to measure; all when none is named")
    made.add_argument("--seeds", default=REPORTED, help=f"range of seeds, {REPORTED} when not given (chosen on 0-4)")
    made.add_argument("--seed", type=int, help="one seed only")
    made.add_argument("--quick", action="store_true", help="smaller samples and fewer repeats, for the test suite")
    made.add_argument("--jobs", type=int, default=2, metavar="N", help="tables measured at once, 2 when not given")
    made.add_argument("--json", metavar="FILE", help="write the rows there")
    return made


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def _seeds(text: str) -> list[int]:
    first, _, last = text.partition("-")
    return list(range(int(first), int(last or first) + 1))


def _show(rows: list[dict[str, Any]]) -> None:
    print(f"{'table':<20} {'task':<52} {'published':<16} {'target':>8} {'ours':>16}  {'':<8} {'CPU s':>7} {'MB':>6}")
    for row in rows:
        sign = ">=" if row["better"] == "higher" else "<="
        value = f"{row['value']:.4f} ± {row['spread']:.4f}"
        verdict = "reached" if row["reached"] else "MISSED"
        print(
            f"{row['name']:<20} {row['task'][:52]:<52} {row['published'][:16]:<16} {sign}{row['target']:>6g} "
            f"{value:>16}  {verdict:<8} {row['seconds']:>7.1f} {row['peak_memory_mb']:>6.0f}"
        )
        for name, peer in row["peers"].items():
            print(f"{'':<20}   {name[:50]:<50} {'':<16} {'':>8} {peer['value']:>7.4f} ± {peer['spread']:.4f}")
        if row["bayes"] is not None:
            print(f"{'':<20}   {'best any method could reach':<50} {'':<16} {'':>8} {row['bayes']:>7.4f}")
        if row["note"]:
            print(f"{'':<20}   {row['note']}")


if __name__ == "__main__":
    raise SystemExit(main())
