"""`python -m mlcore.bench [NAME...] [--seeds 100-104] [--seed N] [--quick] [--json FILE]`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

REPORTED = "100-104"


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    # One thread each: figures compare methods, not libraries' thread pools. Must be set before numpy loads its BLAS.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    from mlcore.bench import tables

    known = tables()
    unknown = [name for name in options.names if name not in known]
    if unknown:
        print(f"There is no table {', '.join(unknown)}. There are: {', '.join(known)}.", file=sys.stderr)
        return 2
    seeds = [options.seed] if options.seed is not None else _seeds(options.seeds)
    names = options.names or list(known)
    rows = (
        _measure_here(known, names, seeds, quick=options.quick) if len(names) == 1 else _measure_apart(options, names)
    )
    _show(rows)
    if options.json:
        document = {"machine": platform.platform(), "python": platform.python_version(), "rows": rows}
        Path(options.json).write_text(json.dumps(document, indent=1, allow_nan=True) + "\n")
    return 0


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m mlcore.bench", description="The tables of mlcore beside their peers."
    )
    made.add_argument("names", nargs="*", metavar="NAME", help="tables to measure; all when none is named")
    made.add_argument("--seeds", default=REPORTED, help=f"range of seeds, {REPORTED} when not given (chosen on 0-4)")
    made.add_argument("--seed", type=int, help="one seed only")
    made.add_argument("--quick", action="store_true", help="smaller samples and fewer repeats, for the test suite")
    made.add_argument("--json", metavar="FILE", help="write the rows there")
    return made


def _seeds(text: str) -> list[int]:
    first, _, last = text.partition("-")
    return list(range(int(first), int(last or first) + 1))


def _measure_here(known: Any, names: list[str], seeds: list[int], *, quick: bool) -> list[dict[str, Any]]:
    return [row.as_json() for name in names for row in known[name].run(seeds=seeds, quick=quick)]


def _measure_apart(options: argparse.Namespace, names: list[str]) -> list[dict[str, Any]]:
    """Each table in a process of its own, so that its peak memory is its own."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            print(f"{name} …", file=sys.stderr, flush=True)
            target = Path(folder) / f"{name}.json"
            command = [sys.executable, "-m", "mlcore.bench", name, "--json", str(target), "--seeds", options.seeds]
            command += ["--quick"] if options.quick else []
            command += ["--seed", str(options.seed)] if options.seed is not None else []
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603  # our own module
            rows += json.loads(target.read_text())["rows"]
    return rows


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
