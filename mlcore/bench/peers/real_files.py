"""Where the real files of other experiments' software are, when they are."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import mlcore


def real_files(folder: str) -> Path | None:
    """The folder below SHARED_DATA, or below ../shared/data beside the checkout.

    None, and a word on standard error, when it is not on this machine: the table then has no row."""
    given = os.environ.get("SHARED_DATA", "")
    root = Path(given) if given else Path(mlcore.__file__).resolve().parents[2] / "shared" / "data"
    if (root / folder).is_dir():
        return root / folder
    print(f"{root / folder} is not on this machine: no row without the real files.", file=sys.stderr)  # noqa: T201
    return None
