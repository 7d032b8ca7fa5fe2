"""What can be drawn: every quantity that is stored per run or per lumisection, by the name it has in formulas.

Only what a formula names is read. Luminosities are in inverse nanobarn, times in seconds (since 1970 where they are
moments). What is not known is NaN.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from certifier.accounts.selectors import system_named
from certifier.audit.errors import CertifierError
from certifier.defects.logic_at import logic_at
from certifier.defects.presence import present_in
from certifier.goodruns.models import RunSummary
from certifier.lumi import LumiSet
from certifier.monitoring import comparison
from certifier.monitoring.models import Element
from certifier.monitoring.selectors import histograms_of_runs
from certifier.precert.selectors import RunVerdict, verdicts_of_runs
from certifier.runs.models import ConditionFlag, Lumisection, Run
from certifier.runs.profile import Profile, profiles

from .errors import TrendRefused
from .models import Per

FloatArray = npt.NDArray[np.float64]
NAN: Final = float("nan")
# Families of quantities: what stands behind the dot is the name of something.
FAMILIES: Final = {
    "defect": "lumisections with the defect, primary or virtual; per lumisection 1 or 0",
    "flag": "lumisections where the condition held; per lumisection 1 or 0",
    "score": "score of the system's champion, 0 to 1, higher is worse; of a run the mean",
    "bad": "lumisections the system's champion calls bad; per lumisection 1 or 0",
    "unsure": "lumisections it leaves to experts",
    "entries": "entries of a monitoring element (its path, with _ for what is no letter or digit); of a run the mean",
    "mean": "mean of a monitoring element along its first axis; of a run the mean over lumisections",
    "spread": "standard deviation of a monitoring element along its first axis",
    "attribute": "a number among the attributes of the run",
}
PLAIN: Final = {
    Per.RUN: {
        "run": "run number",
        "fill": "fill number",
        "start": "when it began, seconds since 1970",
        "lumisections": "how many it has",
        "duration": "seconds, summed over lumisections",
        "delivered": "delivered luminosity, /nb",
        "recorded": "recorded luminosity, /nb",
        "good": "recorded luminosity that is good, /nb, as the runs list shows it",
        "pileup": "mean pile-up",
        "defects": "primary defects present",
        "signed": "systems that are signed",
        "open": "systems that are not",
    },
    Per.LUMISECTION: {
        "run": "run number",
        "fill": "fill number",
        "ls": "number of the lumisection",
        "start": "when it began, seconds since 1970",
        "duration": "seconds",
        "delivered": "delivered luminosity, /nb",
        "recorded": "recorded luminosity, /nb",
        "pileup": "pile-up",
    },
}
_PROFILE: Final = {
    "duration": "duration_s",
    "delivered": "delivered_inv_nb",
    "recorded": "recorded_inv_nb",
    "pileup": "pileup",
}


@dataclass(frozen=True)
class Table:
    """Columns of one length, and which run and lumisection each row is (0: the run as a whole)."""

    columns: Mapping[str, FloatArray]
    run: npt.NDArray[np.int64]
    lumisection: npt.NDArray[np.int64]


def gather(per: Per, runs: Sequence[Run], names: Iterable[str], *, viewer: Any = None) -> Table:
    """The named quantities of these runs, in their order, as `viewer` may see them (None: the program itself). Raises
    TrendRefused for a name that is none."""
    world = _World(per, runs, viewer)
    columns = {name: world.column(name) for name in names}
    numbers = [run.number for run in runs]
    if per == Per.RUN:
        return Table(columns, np.array(numbers, dtype=np.int64), np.zeros(len(runs), dtype=np.int64))
    lengths = world.lengths
    places = [np.arange(1, length + 1) for length in lengths]
    lumisections = np.concatenate(places) if places else np.zeros(0, dtype=np.int64)
    return Table(columns, np.repeat(np.array(numbers, dtype=np.int64), lengths), lumisections)


def slug(path: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "_", path).strip("_")


class _World:
    """The runs, and what is read of them once however many quantities need it."""

    def __init__(self, per: Per, runs: Sequence[Run], viewer: Any) -> None:
        self.per = per
        self.runs = runs
        self.viewer = viewer
        self.lengths = [run.last_lumisection for run in runs]

    # -- what is read ------------------------------------------------------------------------------------------------

    @cached_property
    def profiles(self) -> dict[int, Profile]:
        return profiles([run.number for run in self.runs])

    @cached_property
    def summaries(self) -> dict[int, RunSummary]:
        return RunSummary.objects.in_bulk([run.pk for run in self.runs])

    @cached_property
    def verdicts(self) -> dict[int, dict[str, RunVerdict]]:
        found = verdicts_of_runs(self.runs, viewer=self.viewer)
        return {number: {each.system.code: each for each in verdicts} for number, verdicts in found.items()}

    # -- columns -----------------------------------------------------------------------------------------------------

    def column(self, name: str) -> FloatArray:
        family, _, member = name.partition(".")
        if member and family in FAMILIES:
            read: Callable[[str, str], FloatArray] = getattr(self, f"_{family}")
            return read(name, member)
        if name not in PLAIN[self.per]:
            raise TrendRefused(f"There is no quantity “{name}” per {self.per.label}. The list below names all.")
        if name in _PROFILE:
            return self._of_profile(name)
        if self.per == Per.LUMISECTION:
            return self._of_lumisections(name)
        return np.array([self._of_run(run, name) for run in self.runs], dtype=np.float64)

    def _of_run(self, run: Run, name: str) -> float:
        summary = self.summaries.get(run.pk) if name in ("good", "defects", "signed", "open") else None
        match name:
            case "run":
                return float(run.number)
            case "fill":
                return NAN if run.fill is None else float(run.fill)
            case "start":
                return _seconds(run.started_at)
            case "lumisections":
                return float(run.last_lumisection)
            case "good":
                return NAN if summary is None or summary.good_inv_nb is None else summary.good_inv_nb
        fields = {"defects": "defect_count", "signed": "signed_systems", "open": "open_systems"}
        return NAN if summary is None else float(getattr(summary, fields[name]))

    def _of_profile(self, name: str) -> FloatArray:
        column = _PROFILE[name]
        if self.per == Per.LUMISECTION:
            return self._joined([self._values(run, column) for run in self.runs])
        found = []
        for run in self.runs:
            values = self._values(run, column)
            known = values[~np.isnan(values)]
            found.append((known.mean() if name == "pileup" else known.sum()) if len(known) else NAN)
        return np.array(found, dtype=np.float64)

    def _values(self, run: Run, column: str) -> FloatArray:
        profile = self.profiles.get(run.number)
        return _of_length(np.zeros(0) if profile is None else profile[column], run.last_lumisection)

    def _of_lumisections(self, name: str) -> FloatArray:
        if name == "ls":
            return self._joined([np.arange(1.0, length + 1) for length in self.lengths])
        if name == "start":
            return self._times()
        values = [float(run.number) if name == "run" else NAN if run.fill is None else run.fill for run in self.runs]
        return np.repeat(np.array(values, dtype=np.float64), self.lengths)

    def _times(self) -> FloatArray:
        keys = {run.pk: place for place, run in enumerate(self.runs)}
        found = [np.full(length, NAN) for length in self.lengths]
        rows = Lumisection.objects.filter(run__in=keys, started_at__isnull=False).order_by()
        for key, number, when in rows.values_list("run_id", "number", "started_at"):
            found[keys[key]][number - 1] = _seconds(when)
        return self._joined(found)

    # -- families ----------------------------------------------------------------------------------------------------

    def _attribute(self, name: str, member: str) -> FloatArray:
        values = [_number(run.attributes.get(member)) for run in self.runs]
        counts = [1] * len(self.runs) if self.per == Per.RUN else self.lengths
        return np.repeat(np.array(values, dtype=np.float64), counts)

    def _flag(self, name: str, member: str) -> FloatArray:
        rows = ConditionFlag.objects.filter(run__in=[run.pk for run in self.runs], name=member).order_by()
        known = dict(rows.values_list("run_id", "lumisections"))
        return self._sets([known.get(run.pk) for run in self.runs])

    def _defect(self, name: str, member: str) -> FloatArray:
        meaning = logic_at().definitions.find(member)
        if meaning is None:
            raise TrendRefused(f"{name}: there is no defect “{member}”.")
        found = present_in(self.runs, [meaning.name])
        return self._sets([found[run.number][meaning.name] for run in self.runs])

    def _bad(self, name: str, member: str) -> FloatArray:
        return self._verdict(name, member, lambda verdict: verdict.bad)

    def _unsure(self, name: str, member: str) -> FloatArray:
        return self._verdict(name, member, lambda verdict: verdict.unsure)

    def _verdict(self, name: str, member: str, of: Callable[[RunVerdict], LumiSet]) -> FloatArray:
        system = _system(name, member)
        found = [self.verdicts[run.number].get(system) for run in self.runs]
        column = self._sets([of(each) if each is not None and each.scoring is not None else None for each in found])
        if self.per == Per.LUMISECTION:
            # What is hidden from the viewer is neither bad nor not.
            hidden = [each.hidden.lumisections if each is not None and each.hidden else LumiSet() for each in found]
            column[self._sets(hidden) == 1.0] = NAN
        return column

    def _score(self, name: str, member: str) -> FloatArray:
        system = _system(name, member)
        found = []
        for run in self.runs:
            verdict = self.verdicts[run.number].get(system)
            given = verdict.scores if verdict is not None and verdict.scoring is not None else []
            found.append(np.array([NAN if value is None else value for value in given], dtype=np.float64))
        return self._numbers(found)

    def _entries(self, name: str, member: str) -> FloatArray:
        return self._element(name, member, lambda block: comparison.along(block, 0).sum(axis=1))

    def _mean(self, name: str, member: str) -> FloatArray:
        return self._element(name, member, comparison.means)

    def _spread(self, name: str, member: str) -> FloatArray:
        return self._element(name, member, comparison.spreads)

    def _element(self, name: str, member: str, of: Callable[[Any], FloatArray]) -> FloatArray:
        known = [element for element in Element.objects.all() if slug(element.path) == member]
        if len(known) != 1:
            what = "there is no such monitoring element" if not known else "several elements are written so"
            raise TrendRefused(f"{name}: {what}.")
        numbers = [run.number for run in self.runs]
        values: dict[int, FloatArray] = {}
        for block in histograms_of_runs(known[0], numbers):
            if not len(block):
                continue
            column = np.full(int(block.conditions.lumisection.max()), NAN)
            column[block.conditions.lumisection - 1] = of(block)
            values[int(block.conditions.run[0])] = column
        return self._numbers([values.get(number, np.zeros(0)) for number in numbers])

    # -- shapes ------------------------------------------------------------------------------------------------------

    def _sets(self, found: Sequence[LumiSet | None]) -> FloatArray:
        """Sets of lumisections as counts per run, or as 1 and 0; None is not known."""
        if self.per == Per.RUN:
            return np.array([NAN if each is None else float(len(each)) for each in found], dtype=np.float64)
        masks = [
            np.full(length, NAN) if each is None else each.to_mask(length).astype(np.float64)
            for each, length in zip(found, self.lengths, strict=True)
        ]
        return self._joined(masks)

    def _numbers(self, found: Sequence[FloatArray]) -> FloatArray:
        """Values of lumisections as they are, or as their mean over the run."""
        if self.per == Per.LUMISECTION:
            return self._joined([_of_length(each, length) for each, length in zip(found, self.lengths, strict=True)])
        known = [each[~np.isnan(each)] for each in found]
        return np.array([each.mean() if len(each) else NAN for each in known], dtype=np.float64)

    def _joined(self, parts: Sequence[FloatArray]) -> FloatArray:
        return np.concatenate(parts) if parts else np.zeros(0)


def _of_length(values: FloatArray, length: int) -> FloatArray:
    found = np.full(length, NAN)
    found[: min(length, len(values))] = values[:length]
    return found


def _seconds(when: datetime | None) -> float:
    return NAN if when is None else when.timestamp()


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else NAN


def _system(name: str, member: str) -> str:
    try:
        return system_named(member).code
    except CertifierError as error:
        raise TrendRefused(f"{name}: {error.message}") from None
