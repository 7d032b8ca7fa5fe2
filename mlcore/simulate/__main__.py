"""`python -m mlcore.simulate --size s|m|l --seed N --out DIR [--prevalence usual|hard|clean|0.10]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mlcore.errors import MlcoreError

from .defects import PREVALENCES
from .storage import write
from .world import simulate
from .year import RUNS


def main(arguments: list[str] | None = None) -> int:
    """Simulate a world and write it. 0 when it was written, 2 when it was refused or could not be."""
    options = _parser().parse_args(arguments)
    try:
        world = simulate(
            options.size,
            options.seed,
            prevalence=_prevalence(options.prevalence),
            lumisection_seconds=options.lumisection_seconds,
        )
        manifest = write(world, options.out, elements=options.elements, progress=None if options.quiet else _tell)
    except MlcoreError as refusal:
        print(refusal, file=sys.stderr)
        return 2
    except OSError as problem:
        print(f"{options.out} cannot be written: {problem.strerror or problem}.", file=sys.stderr)
        return 2
    megabytes = sum(file["bytes"] for file in manifest["files"].values()) / 1e6
    print(
        f"{manifest['lumisections']:,} lumisections of {manifest['runs']} runs, "
        f"{100 * manifest['bad_share_of_physics']:.1f}% of physics bad, {megabytes:,.0f} MB in {options.out}."
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m mlcore.simulate", description="A year of a detector that never was.")
    made.add_argument("--size", choices=sorted(RUNS), default="s", help="40, 300 or 1,200 runs")
    made.add_argument("--seed", type=int, default=0, help="the same seed gives the same bytes")
    made.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new or empty folder")
    made.add_argument(
        "--prevalence",
        default="usual",
        help=f"share of bad lumisections: a number, or {', '.join(f'{k} ({v:.0%})' for k, v in PREVALENCES.items())}"
        .replace("%", "%%"),
    )  # fmt: skip
    made.add_argument("--lumisection-seconds", type=float, default=60.0, help="60 as in ATLAS, 23.3 as in CMS")
    made.add_argument(
        "--elements", nargs="+", metavar="NAME", help="only these monitoring elements, e.g. Strips/charge"
    )
    made.add_argument("--quiet", action="store_true", help="no progress on standard error")
    return made


def _prevalence(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _tell(done: int, total: int) -> None:
    if done == total or done % max(total // 50, 1) == 0:
        print(f"\r{done} of {total} runs", end="\n" if done == total else "", file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
