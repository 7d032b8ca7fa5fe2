"""What somebody looks at: a run and dataset, lumisections of it, and what they are held against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from certifier.defects.selectors import DefectInRun, run_defects
from certifier.goodruns.models import RunSummary
from certifier.lumi import LumiError, LumiSet
from certifier.monitoring import selectors
from certifier.monitoring.comparison import Expected, expected_of
from certifier.monitoring.errors import ElementNotFound
from certifier.monitoring.selectors import Coverage
from certifier.runs.models import Dataset, Run
from certifier.runs.profile import Profile, profile_of
from certifier.web.run_page import Moment, run_with_facts
from mlcore.histograms import HistogramBlock

REFERENCE, ITSELF, PREDICTED, NOTHING = "reference", "run", "predicted", "nothing"
# A prediction that knows luminosity and the length of the run besides pile-up.
BY_LENGTH = "predicted-length"
PREDICTIONS = (PREDICTED, BY_LENGTH)
# A run is shown in about so many steps; a step is this many lumisections at least where there are more.
STEPS = 72


@dataclass(frozen=True)
class Options:
    """What is looked at, as it stands in the address."""

    dataset: str = ""
    lumisections: str = ""
    against: str = ""
    system: str = ""

    @classmethod
    def of(cls, parameters: Mapping[str, str]) -> Options:
        return cls(
            dataset=parameters.get("dataset", "").strip(),
            lumisections=parameters.get("ls", "").strip(),
            against=parameters.get("against", "").strip(),
            system=parameters.get("system", "").strip(),
        )


@dataclass(frozen=True)
class ReferenceRun:
    """Another run with the same elements: what a shifter compares with."""

    run: Run
    dataset: Dataset
    coverage: Mapping[str, Coverage]
    good: LumiSet

    @property
    def used(self) -> int:
        """How many lumisections an expectation is made of, at most."""
        return max((len(each.lumisections & self.good) for each in self.coverage.values()), default=0)


class Looking:
    """One run and dataset as one person sees it. What is asked for is read once, when it is asked for."""

    def __init__(self, number: int, options: Options) -> None:
        """Raises RunNotFound, DatasetNotFound, LumiError."""
        self.run: Any = run_with_facts(number)
        self.options = options
        self.datasets = selectors.coverage_of_run(self.run)
        self.dataset = selectors.choose_dataset(self.run, self.datasets, options.dataset)
        self.coverage: list[Coverage] = self.datasets.get(self.dataset, []) if self.dataset else []
        self.by_path = {each.element.path: each for each in self.coverage}
        self.error = ""
        self.selected = self._selected()

    def _selected(self) -> LumiSet:
        """What was chosen, within the run; nothing where the words make no sense, which `error` then says."""
        try:
            return LumiSet.parse(self.options.lumisections, self.run.last_lumisection) & self.run.domain
        except LumiError as error:
            self.error = str(error)
            return LumiSet()

    @cached_property
    def profile(self) -> Profile:
        return profile_of(self.run)

    @cached_property
    def covered(self) -> LumiSet:
        together = LumiSet()
        for each in self.coverage:
            together |= each.lumisections
        return together

    def element(self, path: str) -> Coverage:
        """Raises ElementNotFound."""
        if path in self.by_path:
            return self.by_path[path]
        element = selectors.find_element(path)
        if element.path != path:
            raise ElementNotFound(path)
        return Coverage(element, LumiSet(), ())

    def block(self, coverage: Coverage, lumisections: LumiSet | None = None) -> HistogramBlock:
        return self.blocks([coverage], lumisections)[coverage.element.path]

    def blocks(self, coverage: Sequence[Coverage], lumisections: LumiSet | None = None) -> dict[str, HistogramBlock]:
        return selectors.histograms(self.run, coverage, lumisections, profile=self.profile)

    # -- what was recorded --------------------------------------------------------------------------------------

    @cached_property
    def moment(self) -> Moment:
        return Moment.of(None)

    def _primaries(self, run: Run) -> list[DefectInRun]:
        names = [meaning.name for meaning in self.moment.logic().definitions.primaries()]
        return list(run_defects(run, self.moment, defects=names).defects) if names else []

    @cached_property
    def defects(self) -> list[DefectInRun]:
        return self._primaries(self.run)

    # -- what it is held against ----------------------------------------------------------------------------------

    @cached_property
    def reference(self) -> ReferenceRun | None:
        """The reference run of the map of reference runs, where it has histograms."""
        if not self.run.reference or self.dataset is None:
            return None
        run = Run.objects.select_related("profile", "summary").filter(number=self.run.reference).first()
        datasets = selectors.coverage_of_run(run) if run else {}
        if run is None or not datasets:
            return None
        same = [dataset for dataset in datasets if dataset.name == self.dataset.name]
        alike = [dataset for dataset in datasets if dataset.stage == self.dataset.stage]
        dataset = (same + alike + list(datasets))[0]
        by_path = {each.element.path: each for each in datasets[dataset]}
        return ReferenceRun(run, dataset, by_path, self._good(run) or run.domain)

    def _good(self, run: Run) -> LumiSet:
        """Where the experiment's main virtual defect is absent; without one, where nothing intolerable is present."""
        defects = self._primaries(run)
        logic, definitions = self.moment.logic()
        summary: RunSummary | None = getattr(run, "summary", None)
        main = definitions.find(summary.required) if summary and summary.required else None
        if main is not None and main.is_virtual:
            present = {defect.defect: defect.present.bits for defect in defects}
            return run.domain - logic.evaluate(present, run.domain, only=[main.name]).present(main.name)
        bad = LumiSet()
        for defect in defects:
            bad |= defect.present if defect.intolerable else LumiSet()
        return run.domain - bad

    @property
    def against(self) -> str:
        """What was asked for, as far as it is there; else the reference run, else the run itself."""
        wanted = self.options.against
        if wanted in {ITSELF, NOTHING, *PREDICTIONS}:
            return wanted
        return REFERENCE if self.reference is not None else ITSELF

    def expected(self, blocks: Mapping[str, HistogramBlock]) -> dict[str, Expected]:
        """By path, what each element is held against; elements that have nothing are left out."""
        found: Mapping[str, Expected | None] = {}
        if self.against == REFERENCE and self.reference is not None:
            shared = [self.reference.coverage[path] for path in blocks if path in self.reference.coverage]
            theirs = selectors.histograms(self.reference.run, shared, self.reference.good)
            found = {path: expected_of(block) for path, block in theirs.items() if block.axes == blocks[path].axes}
        elif self.against == ITSELF:
            found = {path: expected_of(block, self.run.domain - self.selected) for path, block in blocks.items()}
        return {path: expected for path, expected in found.items() if expected is not None}

    # -- in words ---------------------------------------------------------------------------------------------

    @property
    def choices(self) -> list[tuple[str, str]]:
        found = [(ITSELF, "the rest of this run"), (NOTHING, "nothing")]
        if self.run.reference:
            what = f"run {self.run.reference}"
            found.insert(0, (REFERENCE, f"{what}, its reference" if self.reference else f"{what} (no histograms)"))
        return found

    @property
    def line_words(self) -> str:
        """What the line in a picture is."""
        if self.against == REFERENCE and self.reference is not None:
            return f"run {self.reference.run.number}, mean of {self.reference.used:,} good LS"
        return "the rest of this run" if self.against == ITSELF else "nothing to compare with"

    @property
    def nothing_words(self) -> str:
        if self.against == NOTHING:
            return "Nothing is compared: choose what with."
        return f"Nothing could be compared: {self.line_words} has none of these elements."

    @property
    def width(self) -> int:
        """Lumisections in a step of an overview."""
        return max(1, -(-self.run.last_lumisection // STEPS))
