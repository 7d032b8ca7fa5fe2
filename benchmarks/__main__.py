"""`make bench`: every benchmark beside its peers, one after the other, each in a process of its own.

    python -m benchmarks [NAME...] [--quick] [--seed N] [--json FILE]

NAME is the module without "bench_". Ends non-zero when one failed or missed its target, but for what a benchmark itself
says is out of reach, and why; that is told.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
NAMES = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))


def run(name: str, options: argparse.Namespace, figures: Path) -> int:
    command = [sys.executable, "-m", f"benchmarks.bench_{name}", "--seed", str(options.seed), "--json", str(figures)]
    if options.quick:
        command.append("--quick")
    print(f"\n=== {name}", flush=True)
    return subprocess.run(command, cwd=HERE.parent, stdin=subprocess.DEVNULL, check=False).returncode


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Every benchmark beside its peers.")
    parser.add_argument("names", nargs="*", choices=[*NAMES, []], metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--quick", action="store_true", help="smaller worlds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to this file as well")
    options = parser.parse_args(arguments)
    began = time.monotonic()
    missed: list[str] = []
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="certifier-bench-") as folder:
        for name in options.names or NAMES:
            figures = Path(folder) / f"{name}.json"
            if run(name, options, figures) != 0:
                missed.append(name)
            if figures.exists():
                found[name] = json.loads(figures.read_text())
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")
    beyond = [f"{name} ({', '.join(rows['out_of_reach'])})" for name, rows in found.items()
              if isinstance(rows, dict) and rows.get("out_of_reach")]  # fmt: skip
    verdict = f"FAILED or missed a target: {', '.join(missed)}" if missed else "every target reached"
    if beyond:
        verdict += f", but for what is out of reach, as is said there: {'; '.join(beyond)}"
    print(f"\nmake bench: {verdict}, in {(time.monotonic() - began) / 60:.0f} min.")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
