"""One element of a run: the lumisections chosen, what they are held against, and the run around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from certifier.defects.selectors import DefectInRun
from certifier.lumi import LumiSet
from certifier.monitoring import comparison, prediction
from certifier.monitoring.comparison import FloatArray, Windows
from certifier.monitoring.prediction import Predicted
from certifier.runs.profile import Profile
from certifier.web.templatetags.histograms import WRONG
from mlcore.histograms import HistogramBlock

from . import figures, png
from .looking import BY_LENGTH, ITSELF, NOTHING, PREDICTED, PREDICTIONS, REFERENCE, Looking

PULLS, RATIO = "pull", "ratio"
SHOWN = {"counts": "counts", "ratio": "observed / expected", "pull": "pulls"}
QUANTITIES = {
    "entries": "entries",
    "mean": "mean",
    "spread": "standard deviation",
    "pull": "largest pull",
    "bin": "one bin",
}
ACROSS = {"luminosity": "recorded luminosity", "lumisection": "lumisection", "pileup": "pile-up"}
# Columns of the picture of lumisections by bins, and numbers that a page carries for one figure.
MOST_COLUMNS = 240
MOST_NUMBERS = 40_000


@dataclass(frozen=True)
class View:
    """How it is looked at, as it stands in the address."""

    panel: str = PULLS
    shown: str = "counts"
    quantity: str = "mean"
    across: str = "luminosity"
    bin: str = ""

    @classmethod
    def of(cls, parameters: Mapping[str, str]) -> View:
        def one(name: str, known: Mapping[str, str] | Sequence[str], usual: str) -> str:
            wanted = parameters.get(name, "")
            return wanted if wanted in known else usual

        return cls(
            panel=one("panel", (PULLS, RATIO), PULLS),
            shown=one("show", SHOWN, "counts"),
            quantity=one("quantity", QUANTITIES, "mean"),
            across=one("x", ACROSS, "luminosity"),
            bin=parameters.get("bin", "").strip()[:12],
        )


@dataclass(frozen=True, eq=False)
class Shown:
    """What is drawn: (bins,) counts of the lumisections chosen, what is expected of them, and the pulls."""

    lumisections: LumiSet
    counts: FloatArray
    mean: FloatArray | None
    pulls: FloatArray | None

    @property
    def worst(self) -> int | None:
        return int(np.argmax(np.abs(self.pulls))) if self.pulls is not None and len(self.pulls) else None

    @property
    def pull(self) -> float | None:
        return None if self.worst is None or self.pulls is None else float(self.pulls[self.worst])


class ElementPage:
    def __init__(self, looking: Looking, path: str, view: View) -> None:
        """Raises ElementNotFound."""
        self.looking = looking
        self.view = view
        self.coverage = looking.element(path)
        self.element = self.coverage.element

    # -- where --------------------------------------------------------------------------------------------------

    @property
    def covered(self) -> LumiSet:
        return self.coverage.lumisections

    @cached_property
    def selected(self) -> LumiSet:
        """The lumisections chosen that have a histogram; without a choice all of them."""
        return self.looking.selected & self.covered if self.looking.options.lumisections else self.covered

    @property
    def is_chosen(self) -> bool:
        return bool(self.looking.options.lumisections)

    @cached_property
    def steps(self) -> tuple[int | None, int | None]:
        """The lumisections with a histogram before and after the chosen ones; without a choice the first."""
        if not self.is_chosen or not self.looking.selected:
            return None, self.covered.first
        first, last = self.looking.selected.first or 1, self.looking.selected.last or 1
        before = (self.covered & LumiSet.whole(first - 1)).last
        after = (self.covered - LumiSet.whole(last)).first
        return before, after

    @cached_property
    def siblings(self) -> list[str]:
        """Elements of the same system."""
        return [each.element.path for each in self.looking.coverage if each.element.system_id == self.element.system_id]

    @cached_property
    def defects(self) -> list[DefectInRun]:
        """Recorded of its system, those in the chosen lumisections first."""
        code = self.element.system.code if self.element.system else ""
        mine = [defect for defect in self.looking.defects if not code or defect.system == code]
        return sorted(mine, key=lambda defect: (not (defect.present & self.selected), defect.defect))

    # -- what ---------------------------------------------------------------------------------------------------

    @cached_property
    def block(self) -> HistogramBlock:
        return self.looking.block(self.coverage)

    @cached_property
    def rows(self) -> Any:
        """(n,) which rows of the block are chosen."""
        numbers = self.block.conditions.lumisection
        return self.selected.to_mask(int(numbers.max(initial=1)))[numbers - 1]

    @cached_property
    def against(self) -> str:
        """What it is held against: as asked for, as far as that is there."""
        wanted = self.looking.against
        if wanted in PREDICTIONS and self.predicted is None:
            return ITSELF
        if wanted == REFERENCE and self.element.path not in self._expected:
            return ITSELF
        return wanted

    @cached_property
    def predicted(self) -> Predicted | None:
        by_length = self.looking.against == BY_LENGTH
        runs = prediction.runs_before(self.looking.run, self.element, by_length=by_length)
        return prediction.predict(self.block, self.element, runs, by_length=by_length) if runs else None

    @cached_property
    def _expected(self) -> dict[str, comparison.Expected]:
        return self.looking.expected({self.element.path: self.block})

    @cached_property
    def expected(self) -> comparison.Expected | None:
        if self.against == ITSELF:
            return comparison.expected_of(self.block, self.looking.run.domain - self.looking.selected)
        return self._expected.get(self.element.path)

    def compare(self, counts: FloatArray, rows: Any, starts: Sequence[int]) -> tuple[FloatArray, FloatArray] | None:
        """(g, bins) expected counts and pulls of sums over groups of `rows` (indices) that begin at `starts`."""
        if self.against == NOTHING or not len(counts):
            return None
        if self.against in PREDICTIONS and self.predicted is not None:
            chosen = Predicted(self.predicted.mean[rows], self.predicted.deviation[rows], self.predicted.runs)
            mean, relative = chosen.summed(starts)
            return mean, comparison.pulls(counts, mean, relative)
        if self.expected is None:
            return None
        return self.expected.scaled(counts), self.expected.pulls(counts)

    @cached_property
    def shown(self) -> Shown | None:
        rows = np.flatnonzero(self.rows)
        if not len(rows):
            return None
        counts = np.asarray(self.block.flat[rows], dtype=np.float64).sum(axis=0)
        found = self.compare(counts[None, :], rows, [0])
        mean, pulls = (found[0][0], found[1][0]) if found else (None, None)
        return Shown(self.selected, counts, mean, pulls)

    @cached_property
    def flow(self) -> FloatArray:
        """(axes, 2) under- and overflow of the chosen lumisections."""
        assert self.block.flow is not None
        return np.asarray(self.block.flow[self.rows].sum(axis=0))

    @property
    def facts(self) -> list[tuple[str, str]]:
        """Numbers of what is drawn."""
        if self.shown is None:
            return []
        if self.element.is_quantity:
            return self._facts_of_quantity()
        chosen = self.block.select(self.rows)
        whole = chosen.stacked(len(chosen)).select(slice(len(chosen) - 1, None))
        axis = self.element.axes[0]
        unit = f" {axis['unit']}" if axis["unit"] else ""
        rows = [
            ("entries", f"{self.shown.counts.sum():,.0f}"),
            (f"mean {axis['name']}", f"{comparison.means(whole)[0]:.4g}{unit}"),
            ("standard deviation", f"{comparison.spreads(whole)[0]:.4g}{unit}"),
            ("outside", f"{self.flow[:, 0].sum():,.0f} below, {self.flow[:, 1].sum():,.0f} above"),
        ]
        if self.shown.pull is not None and self.shown.worst is not None:
            rows.append(("largest pull", f"{self.shown.pull:+.1f} at {self.bin_words(self.shown.worst)}"))
        return rows

    def _facts_of_quantity(self) -> list[tuple[str, str]]:
        values, axis = self.block.totals[self.rows], self.element.axes[0]
        unit = f" {axis['unit']}" if axis["unit"] else ""
        sizes = (("mean", values.mean()), ("smallest", values.min()), ("largest", values.max()))
        return [(f"{words} {axis['name']}", f"{value:,.5g}{unit}") for words, value in sizes]

    def bin_words(self, place: int) -> str:
        """`energy 11.6 to 12 GeV`; of a map all its axes."""
        words = []
        for axis, number in zip(self.element.axes, np.unravel_index(place, self.element.bins), strict=True):
            low, high = axis["edges"][number], axis["edges"][number + 1]
            words.append(f"{axis['name']} {low:.4g} to {high:.4g} {axis['unit']}".rstrip())
        return ", ".join(words)

    # -- in words ---------------------------------------------------------------------------------------------

    @property
    def against_words(self) -> str:
        if self.against in PREDICTIONS and self.predicted is not None:
            runs = ", ".join(str(run) for run in self.predicted.runs)
            how = " by luminosity, pile-up and run length" if self.against == BY_LENGTH else ""
            return f"predicted{how}, learned from {runs}"
        if self.against == ITSELF:
            return "the rest of this run" if self.is_chosen else "the mean of this run"
        return self.looking.line_words

    @property
    def choices(self) -> list[tuple[str, str]]:
        predictions = [(PREDICTED, "prediction"), (BY_LENGTH, "prediction by luminosity, pile-up and run length")]
        return [*self.looking.choices[:-1], *predictions, self.looking.choices[-1]]

    @property
    def shown_choices(self) -> list[tuple[str, str]]:
        return list(SHOWN.items()) if self.compared is not None else [("counts", SHOWN["counts"])]

    @property
    def quantity(self) -> str:
        """What is drawn per lumisection: as asked for; of one number there is nothing but itself."""
        return "entries" if self.element.is_quantity else self.view.quantity

    @property
    def quantities(self) -> list[tuple[str, str]]:
        if self.element.is_quantity:
            return [("entries", self.quantity_words)]
        return [(value, words) for value, words in QUANTITIES.items() if value != PULLS or self.compared is not None]

    @property
    def across(self) -> list[tuple[str, str]]:
        return list(ACROSS.items())

    @property
    def bin_number(self) -> int:
        return self.bin + 1

    # -- figures --------------------------------------------------------------------------------------------------

    @property
    def overlay(self) -> dict[str, Any] | None:
        """For Plotly; None where there is nothing to draw."""
        if self.shown is None or self.element.is_quantity:
            return None
        drawn = figures.map_ if len(self.element.axes) > 1 else figures.overlay
        return drawn(self.element, self.shown.counts, self.shown.mean, self.shown.pulls, self.view.panel)

    @cached_property
    def columns(self) -> Windows:
        width = max(1, -(-self.looking.run.last_lumisection // MOST_COLUMNS))
        while len(self.block) // width * int(np.prod(self.element.bins)) > 40 * MOST_NUMBERS:
            width *= 2
        return comparison.windows(self.block, width)

    @cached_property
    def column_starts(self) -> list[int]:
        return [int(row) for row in np.searchsorted(self.block.conditions.lumisection, self.columns.first)]

    @cached_property
    def compared(self) -> tuple[FloatArray, FloatArray] | None:
        """Expected counts and pulls of the columns."""
        return self.compare(self.columns.counts, np.arange(len(self.block)), self.column_starts)

    @property
    def shown_word(self) -> str:
        return self.view.shown if self.compared is not None else "counts"

    @property
    def picture(self) -> dict[str, Any] | None:
        """Lumisections by bins of the first axis, for Plotly."""
        if self.element.is_quantity or not len(self.columns):
            return None
        bins = self.element.bins
        counts = _along_first(self.columns.counts, bins)
        mean = _along_first(self.compared[0], bins) if self.compared is not None else None
        if self.shown_word == PULLS and self.compared is not None:
            pull = self.compared[1].reshape(len(counts), bins[0], -1)
            largest = np.argmax(np.abs(pull), axis=2)
            values = np.take_along_axis(pull, largest[:, :, None], axis=2)[:, :, 0]
        elif self.shown_word == RATIO and mean is not None:
            values = np.where(mean > 0, counts / np.maximum(mean, 1e-9), np.nan)
        else:
            values = counts / np.maximum(self.columns.last - self.columns.first + 1, 1)[:, None]
        return figures.picture(self.element, self.columns, values, self.shown_word, self._marked)

    @property
    def picture_address(self) -> str:
        """The picture without a script."""
        bins = self.element.bins
        wrong = None
        if self.compared is not None:
            pulls = np.abs(self.compared[1]).reshape(len(self.columns), bins[0], -1)
            wrong = pulls.max(axis=2) >= WRONG
        width = np.maximum(self.columns.last - self.columns.first + 1, 1)
        return png.picture(_along_first(self.columns.counts, bins) / width[:, None], wrong)

    @property
    def _marked(self) -> LumiSet:
        return self.selected if self.is_chosen else LumiSet()

    @property
    def trend(self) -> dict[str, Any] | None:
        """The chosen quantity of each lumisection, against luminosity, pile-up or the lumisection."""
        values = self._quantity()
        if values is None:
            return None
        conditions = self.block.conditions
        across = {
            "luminosity": conditions.luminosity,
            "pileup": conditions.pileup,
            "lumisection": conditions.lumisection.astype(float),
        }[self.view.across]
        chosen = self.rows if self.is_chosen else np.zeros(len(values), dtype=bool)
        return figures.trend(
            across, values, conditions.lumisection, chosen, x=ACROSS[self.view.across], y=self.quantity_words
        )

    @property
    def quantity_words(self) -> str:
        axis = self.element.axes[0]
        unit = f" [{axis['unit']}]" if axis["unit"] else ""
        if self.element.is_quantity:
            return f"{axis['name']}{unit}"
        if self.quantity == "bin":
            return f"entries at {self.bin_words(self.bin)}"
        return {"mean": f"mean {axis['name']}{unit}", "spread": f"standard deviation{unit}"}.get(
            self.quantity, QUANTITIES[self.quantity]
        )

    @cached_property
    def bin(self) -> int:
        """The bin of the trend: as asked for, counted from 1; else the one with the largest pull, else the fullest."""
        count = int(np.prod(self.element.bins))
        if self.view.bin.isascii() and self.view.bin.isdigit() and 1 <= int(self.view.bin) <= count:
            return int(self.view.bin) - 1
        if self.shown is None:
            return 0
        return self.shown.worst if self.shown.worst is not None else int(np.argmax(self.shown.counts))

    def _quantity(self) -> FloatArray | None:
        block = self.block
        if not len(block):
            return None
        if self.quantity == "entries":
            return block.totals
        if self.quantity == "bin":
            return np.asarray(block.flat[:, self.bin], dtype=np.float64)
        if self.quantity == "pull":
            found = self.compare(np.asarray(block.flat, dtype=np.float64), np.arange(len(block)), range(len(block)))
            if found is None:
                return None
            largest = np.argmax(np.abs(found[1]), axis=1)
            return np.asarray(np.take_along_axis(found[1], largest[:, None], axis=1)[:, 0])
        return comparison.means(block) if self.quantity == "mean" else comparison.spreads(block)

    @property
    def profile(self) -> Profile:
        return self.looking.profile


def _along_first(values: FloatArray, bins: tuple[int, ...]) -> FloatArray:
    """(g, bins) of a map or histogram to (g, bins of the first axis)."""
    return values.reshape(len(values), bins[0], -1).sum(axis=2)
