"""What a model says of one run, as the program keeps it: four sets, scores, and the stretches to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from certifier.lumi import LumiSet

from .errors import NotAPartition
from .models import Verdict

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Stretch:
    """Lumisections that are looked at together. `evidence` is JSON, as docs/precertification.md describes it."""

    lumisections: LumiSet
    verdict: Verdict
    suspected_defect: str = ""
    score: float | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Judgement:
    """Of a run of `last` lumisections. `scores` (last,) from 0 to 1, higher = worse, NaN where there is none."""

    last: int
    good: LumiSet
    bad: LumiSet
    unsure: LumiSet
    scores: Floats
    is_probability: bool = True
    why_unscored: Mapping[str, LumiSet] = field(default_factory=dict)
    stretches: Sequence[Stretch] = ()

    @property
    def unscored(self) -> LumiSet:
        """Whatever has no verdict. Not scored is never good."""
        return LumiSet.whole(self.last) - self.good - self.bad - self.unsure

    def check(self) -> None:
        """Raises NotAPartition where a lumisection has two verdicts, or is none of the run."""
        named = self.good | self.bad | self.unsure
        if len(self.good) + len(self.bad) + len(self.unsure) != len(named):
            raise NotAPartition("A lumisection has two verdicts.")
        if not named <= LumiSet.whole(self.last):
            raise NotAPartition(f"Lumisections {named - LumiSet.whole(self.last)} are beyond the run's {self.last}.")
        if self.scores.shape != (self.last,):
            raise NotAPartition(f"{self.scores.shape} scores for {self.last} lumisections.")
        scored = LumiSet.from_mask(~np.isnan(self.scores))
        if not named <= scored:
            raise NotAPartition(f"Lumisections {named - scored} have a verdict without a score.")
        for stretch in self.stretches:
            if not stretch.lumisections or not stretch.lumisections <= LumiSet.whole(self.last):
                raise NotAPartition(f"A finding on lumisections {stretch.lumisections} is none of the run.")
