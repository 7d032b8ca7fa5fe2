"""What every format is read into, and the way a file is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from certifier.audit.errors import CertifierError
from certifier.lumi import LumiSet

# Called with (done, of how many, what is counted) now and then.
Progress = Callable[[int, int, str], None]


class FileRefused(CertifierError):
    """The file cannot be imported. `line` counts from 1; formats without lines name the place in the message."""

    def __init__(self, reason: str, *, line: int | None = None) -> None:
        super().__init__(f"line {line}: {reason}" if line is not None else reason)
        self.line = line


@dataclass(frozen=True)
class ImportedLumisections:
    """Columns of a run from lumisection `first` on, as for `services.put_lumisections`; NaN and None change nothing.

    `flags` speak of the lumisections in `covered` only; what is known of others stays.
    """

    run: int
    first: int
    columns: Mapping[str, Any]
    # How many of them the file has: there may be gaps.
    count: int
    flags: Mapping[str, LumiSet] = field(default_factory=dict)
    covered: LumiSet = field(default_factory=LumiSet)


@dataclass(frozen=True)
class Imported:
    """The content of a file. `runs` as in REST (attributes are added to those known); `places` says where each
    stands."""

    format: str
    runs: list[dict[str, Any]] = field(default_factory=list)
    lumisections: list[ImportedLumisections] = field(default_factory=list)
    # (run, reference), the last one of a run counting now.
    references: list[tuple[int, int]] = field(default_factory=list)
    # For messages: run number -> "line 12", "runs[11]".
    places: dict[int, str] = field(default_factory=dict)
    # What a reader should know though nothing is wrong.
    notes: list[str] = field(default_factory=list)
