"""What a training learns from: first which runs, labels and histograms (cheap, and enough for the fingerprint), then
the arrays themselves.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from certifier.accounts.models import System
from certifier.lumi import LumiSet
from certifier.monitoring.models import Part
from certifier.monitoring.parts import covered, living
from certifier.monitoring.selectors import Coverage, conditions_of, histograms
from certifier.precert.selectors import place_of
from certifier.runs.models import Run, RunProfile
from certifier.runs.selectors import lumisection_times
from mlcore.conditions import Conditions
from mlcore.histograms import HistogramBlock

from .errors import TooFewLabels
from .labels import PER_QUERY, RunLabels, Source, counts, run_labels
from .recipe import Recipe
from .selectors import is_left_out, left_out_acts

Progress = Callable[[float, str], None]
Array = npt.NDArray[Any]
SOURCES: Final = tuple(Source)
# As many runs as a promise needs in any case (`SelectivePolicy.fewest_runs`).
FEWEST_WHOLE: Final = 10


@dataclass(frozen=True)
class RunPlan:
    """One run: what is said of the lumisections that have a histogram, and these in the furthest processed dataset.

    Of a lumisection without any histogram nothing can be learned, and no model could be asked about it.
    """

    labels: RunLabels
    elements: Sequence[Coverage]
    seen: LumiSet
    is_whole: bool = False

    @classmethod
    def of(cls, labels: RunLabels, elements: Sequence[Coverage]) -> RunPlan:
        seen = LumiSet()
        for each in elements:
            seen |= each.lumisections
        seen &= labels.run.domain
        is_whole = labels.is_whole(seen)
        mine = labels.within(seen)
        return cls(mine.standing_for_themselves() if is_whole else mine, elements, seen, is_whole)

    @property
    def run(self) -> Run:
        return self.labels.run


@dataclass(frozen=True)
class Plan:
    """What would be learned from now. `without` are runs with labels that have no histograms of the system, `left_out`
    older ones, `by_hand` those that a coordinator left out."""

    system: System
    recipe: Recipe
    runs: Sequence[RunPlan]
    without: int
    left_out: int
    by_hand: int = 0

    @property
    def labels(self) -> list[RunLabels]:
        return [each.labels for each in self.runs]

    @cached_property
    def counts(self) -> dict[str, dict[str, int]]:
        return counts(self.labels)

    @property
    def good(self) -> int:
        return sum(both["good"] for both in self.counts.values())

    @property
    def bad(self) -> int:
        return sum(both["bad"] for both in self.counts.values())

    @property
    def extent(self) -> dict[str, int]:
        if not self.runs:
            return {"runs": 0, "lumisections": 0}
        return {
            "runs": len(self.runs),
            "lumisections": sum(len(each.seen) for each in self.runs),
            "first_run": self.runs[0].run.number,
            "last_run": self.runs[-1].run.number,
        }

    def why_too_few(self) -> list[str]:
        """What is missing before anything can be learned, one sentence each; empty when it suffices."""
        recipe, code = self.recipe, self.system.code
        if not self.runs:
            said = f"{self.without:,} runs have labels but no histograms of {code}" if self.without else ""
            return [f"Nothing to learn from: no run of {code} has histograms and a label{said and '; ' + said}."]
        found = []
        if len(self.runs) < recipe.fewest_runs:
            found.append(f"Labels are of {len(self.runs)} runs with histograms; {recipe.fewest_runs} are needed.")
        for name, there, needed in (("good", self.good, recipe.fewest_good), ("bad", self.bad, recipe.fewest_bad)):
            if there < needed:
                found.append(f"{there:,} lumisections are labelled {name}; {needed:,} are needed.")
        return found

    @cached_property
    def fingerprint(self) -> str:
        """Changes when labels, what they stand for, histograms, luminosity or the recipe change; and only then."""
        digest = hashlib.sha256(json.dumps(self.recipe.as_json(), sort_keys=True, default=str).encode())
        profiles = _packed_profiles([each.run.pk for each in self.runs])
        for each in self.runs:
            labels = each.labels
            words = sorted(
                (str(word.lumisections), word.source.value, word.is_bad, word.defect, word.stands_for)
                for word in labels.words
            )
            parts = [
                (one.element.path, live.part.sha256, str(live.lumisections))
                for one in each.elements
                for live in one.parts
            ]
            said = [each.run.number, each.run.last_lumisection, labels.is_settled, each.is_whole, words, parts]
            digest.update(json.dumps(said).encode())
            digest.update(profiles.get(each.run.pk, b""))
        return digest.hexdigest()


def plan(system: System, recipe: Recipe) -> Plan:
    """The newest runs that have both labels and histograms, up to as many lumisections as the recipe allows, without
    those that a coordinator left out."""
    acts = left_out_acts(system)
    said = run_labels(system)
    labels = [each for each in said if not is_left_out(each.run.number, acts)]
    elements = _elements(system, [each.run.pk for each in labels])
    plans = [RunPlan.of(each, elements[each.run.pk]) for each in labels if elements.get(each.run.pk)]
    usable = [each for each in plans if each.labels.words]
    total, kept = 0, 0
    for each in reversed(usable):
        total += len(each.seen)
        if kept and total > recipe.most_lumisections:
            break
        kept += 1
    chosen = usable[len(usable) - kept :]
    return Plan(
        system,
        recipe,
        chosen,
        without=len(labels) - len(usable),
        left_out=len(usable) - len(chosen),
        by_hand=len(said) - len(labels),
    )


def _elements(system: System, runs: Sequence[int]) -> dict[int, list[Coverage]]:
    """By run, the elements of the system in the furthest processed dataset that has any."""
    found: dict[int, list[Coverage]] = {}
    for start in range(0, len(runs), PER_QUERY):
        rows = Part.objects.filter(element__system=system, dataset__run__in=runs[start : start + PER_QUERY])
        by_run: dict[int, dict[int, list[Part]]] = {}
        for part in rows.select_related("dataset", "element").order_by("id"):
            by_run.setdefault(part.dataset.run_id, {}).setdefault(part.dataset_id, []).append(part)
        for run, by_dataset in by_run.items():
            found[run] = list(_coverage(min(by_dataset.values(), key=_furthest)))
    return found


def _furthest(parts: Sequence[Part]) -> tuple[int, int]:
    return place_of(parts[0].dataset.stage), -parts[-1].pk


def _coverage(parts: Sequence[Part]) -> Iterator[Coverage]:
    by_element: dict[str, list[Part]] = {}
    for part in parts:
        by_element.setdefault(part.element.path, []).append(part)
    for _, of_element in sorted(by_element.items()):
        live = living(of_element)
        yield Coverage(of_element[0].element, covered(live), live)


def _packed_profiles(runs: Sequence[int]) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    for start in range(0, len(runs), PER_QUERY):
        rows = RunProfile.objects.filter(run__in=runs[start : start + PER_QUERY]).values_list("run", "columns")
        found |= {run: bytes(packed) for run, packed in rows}
    return found


# --- arrays ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Sample:
    """n lumisections in order of time: `label` 0, 1 or NaN, `defect` names, `stands_for`, `is_settled` and `is_whole`
    of their runs, `is_decision` (by a decision, not a signature alone); and the blocks, each with the lumisections that
    it has."""

    conditions: Conditions
    label: Array
    defect: Array
    stands_for: Array
    is_settled: Array
    is_whole: Array
    is_decision: Array
    blocks: Sequence[HistogramBlock]

    def __len__(self) -> int:
        return len(self.conditions)

    @property
    def settled(self) -> Array:
        """(n,) which labels are a fair sample of what was taken, each as often as it stands for others: those of runs
        of which nothing waits any more."""
        return np.asarray(self.is_settled & ~np.isnan(self.label))

    @property
    def confirmed(self) -> Array:
        """(n,) which labels a promise is measured on: those of runs that were looked at as a whole. A sample that
        stands for 1 / chance counts for next to nothing beside them; only where there are hardly any such runs, all
        that is settled is taken."""
        whole = self.is_whole & ~np.isnan(self.label)
        return whole if np.unique(self.conditions.run[whole]).size >= FEWEST_WHOLE else self.settled

    def blocks_of(self, rows: Array) -> list[HistogramBlock]:
        """What there is of the runs of these lumisections."""
        runs = np.unique(self.conditions.run[rows])
        chosen = [block.select(np.isin(block.conditions.run, runs)) for block in self.blocks]
        return [block for block in chosen if len(block)]


def read(planned: Plan, progress: Progress) -> Sample:
    """Raises TooFewLabels, HistogramsLost."""
    if reasons := planned.why_too_few():
        raise TooFewLabels(" ".join(reasons))
    columns: list[_Columns] = []
    blocks: dict[str, list[HistogramBlock]] = {}
    for done, each in enumerate(planned.runs):
        progress(done / len(planned.runs), f"reading histograms of run {each.run.number}")
        columns.append(_columns(each))
        for path, block in histograms(each.run, each.elements).items():
            if len(block):
                blocks.setdefault(path, []).append(block)
    return Sample(
        conditions=Conditions.concatenate([each.conditions for each in columns]),
        blocks=[HistogramBlock.concatenate(parts) for _, parts in sorted(blocks.items())],
        **{
            name: np.concatenate([getattr(each, name) for each in columns])
            for name in ("label", "defect", "stands_for", "is_settled", "is_whole", "is_decision")
        },
    )


@dataclass(frozen=True, eq=False)
class _Columns:
    """The same of one run."""

    conditions: Conditions
    label: Array
    defect: Array
    stands_for: Array
    is_settled: Array
    is_whole: Array
    is_decision: Array


def _columns(each: RunPlan) -> _Columns:
    last, seen = each.run.last_lumisection, each.seen.to_mask(each.run.last_lumisection)
    rows = len(each.seen)
    label, stands_for = np.full(rows, np.nan), np.ones(rows)
    defect, decided = np.full(rows, "", dtype=object), np.zeros(rows, dtype=bool)
    for word in each.labels.words:
        where = word.lumisections.to_mask(last)[seen]
        label[where], stands_for[where] = float(word.is_bad), word.stands_for
        defect[where], decided[where] = word.defect, word.source != Source.SIGN_OFF
    conditions = conditions_of(each.run, 1 + np.flatnonzero(seen), times=lumisection_times(each.run))
    settled, whole = np.full(rows, each.labels.is_settled), np.full(rows, each.is_whole)
    return _Columns(conditions, label, defect.astype(str), stands_for, settled, whole, decided)
