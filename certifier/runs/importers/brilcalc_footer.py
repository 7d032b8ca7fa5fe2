"""The summary at the end of a brilcalc table: what it says the rows add up to, compared with what they do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from . import cells
from .imported import FileRefused

if TYPE_CHECKING:
    from .brilcalc_csv import Header

SUMS = {"totdelivered": "delivered", "totrecorded": "recorded"}


@dataclass
class Sums:
    """What the rows of one HLT path (or of all, where there are no paths) add up to, in the table's own unit."""

    runs: set[str] = field(default_factory=set)
    fills: set[str] = field(default_factory=set)
    rows: int = 0
    cms_rows: int = 0
    cms_lumisections: int = 0
    totals: dict[str, float] = field(default_factory=lambda: {"delivered": 0.0, "recorded": 0.0})
    # How far each sum can be off because every row was rounded.
    rounding: dict[str, float] = field(default_factory=lambda: {"delivered": 0.0, "recorded": 0.0})


class Footer:
    def __init__(self) -> None:
        self.begun = False
        self.names: list[str] = []
        # (line, values by name) of every row of the summary
        self.stated: list[tuple[int, dict[str, str]]] = []
        self.sums: dict[str, Sums] = {}
        self.by_lumisection = True

    def take(self, number: int, line: str) -> None:
        """A comment line without its #."""
        cells_of_line = line.strip().split(",")
        if line.strip() == "Summary:":
            self.begun = True
        elif not self.begun or line.startswith("Check JSON"):
            self.names = []
        elif "totdelivered" in line and len(cells_of_line) > 2:
            self.names = [name.partition("(")[0] for name in cells_of_line]
        elif self.names and len(cells_of_line) == len(self.names):
            self.stated.append((number, dict(zip(self.names, cells_of_line, strict=True))))
        else:
            self.names = []

    def count(self, values: dict[str, str], header: Header) -> None:
        """Add a row of data. Raises ValueError when its luminosity is no number."""
        self.by_lumisection = header.by_lumisection
        sums = self.sums.setdefault(values.get("hltpath", ""), Sums())
        run, _, fill = values["run:fill"].partition(":")
        sums.runs.add(run)
        sums.fills.add(fill)
        sums.rows += 1
        sums.cms_rows += values.get("ls", "").partition(":")[2] != "0"
        if values.get("ncms", "").isdigit():
            sums.cms_lumisections += int(values["ncms"])
        for name in sums.totals:
            sums.totals[name] += cells.number(values[name], name)
            sums.rounding[name] += 0.5 * 10.0 ** -cells.decimals(values[name])


def check_totals(footer: Footer, unit: str) -> None:
    """Raises FileRefused naming the line of the summary that the rows contradict."""
    for line, stated in footer.stated:
        path = stated.get("hltpath", "")
        sums = footer.sums.get(path)
        of_path = f" of {path}" if path else ""
        if sums is None:
            raise FileRefused(f"the summary has {path}, but no row does; part of the file is missing.", line=line)
        counts = {"nfill": len(sums.fills), "nrun": len(sums.runs)}
        counts |= (
            {"nls": sums.rows, "ncms": sums.cms_rows} if footer.by_lumisection else {"ncms": sums.cms_lumisections}
        )
        for name, found in counts.items():
            if name in stated and stated[name].strip() != str(found):
                message = (
                    f"the summary says {name} {stated[name].strip()}{of_path}, the rows have {found}; some are missing."
                )
                raise FileRefused(message, line=line)
        for name, column in SUMS.items():
            if name not in stated:
                continue
            try:
                total = cells.number(stated[name], name)
            except ValueError as error:
                raise FileRefused(str(error), line=line) from None
            allowed = sums.rounding[column] + 0.5 * 10.0 ** -cells.decimals(stated[name]) + 1e-9 * total
            if abs(total - sums.totals[column]) > allowed:
                message = (
                    f"the summary says {stated[name].strip()} {unit} {column}{of_path}, the rows add up to "
                    f"{sums.totals[column]:.3f}; some are missing or changed."
                )
                raise FileRefused(message, line=line)
