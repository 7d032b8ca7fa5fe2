"""A guarantee as a value: what is promised, from which sample, under which assumptions, in numbers and in words."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

ASSUMPTIONS = (
    "The runs that will be decided are like those of the calibration sample: drift tests and the blind audit watch.",
    "The calibration labels are right. A share of wrong labels of the size of a limit shifts a bound by as much.",
    "The lumisections were labelled because they were taken, not because they looked odd: all of a run, or at random.",
    "Runs are independent of each other; lumisections of one run need not be.",
    "The bound is measured over runs as they come. Nothing is promised about one single run.",
)


@dataclass(frozen=True)
class SideBound:
    """One promise of one stratum.

    Parameters
    ----------
    side : pollution (bad among what is called good) or loss (called bad among what is good).
    limit : what the rate is promised to stay below; confidence : with which probability.
    threshold : of the probability of being bad; None when nothing is promised, `refusal` then says why.
    bound : upper confidence bound at the threshold; observed : the rate in the calibration sample there.
    lumisections : how many the rate is measured among; n_effective : those after weights and design effect.
    needed : effective lumisections without error that the promise needs at least.
    """

    side: Literal["pollution", "loss"]
    limit: float
    confidence: float
    threshold: float | None
    bound: float | None
    observed: float | None
    lumisections: int
    n_kish: float
    n_effective: float
    design_effect: float
    needed: int
    refusal: str = ""

    def in_words(self) -> str:
        if self.threshold is None:
            return self.refusal
        return (
            f"{self.side} is below {self.limit:.3%} with {self.confidence:.1%} confidence: {self.observed:.3%} "
            f"observed, upper bound {self.bound:.3%}, from {self.lumisections} lumisections that count as "
            f"{self.n_effective:.0f}."
        )


@dataclass(frozen=True)
class Part:
    """The promises for one stratum ("" when there are no strata, "rest" for those too small to stand alone)."""

    stratum: str
    members: tuple[str, ...]
    lumisections: int
    bad: int
    runs: int
    t_good: float | None
    t_bad: float | None
    pollution: SideBound | None
    loss: SideBound | None
    automatic: float

    @property
    def sides(self) -> tuple[SideBound, ...]:
        return tuple(side for side in (self.pollution, self.loss) if side is not None)

    @property
    def refusal(self) -> str:
        return " ".join(dict.fromkeys(side.refusal for side in self.sides if side.refusal))

    def in_words(self) -> str:
        where = f"{self.stratum}: " if self.stratum else ""
        return where + " ".join(side.in_words() for side in self.sides)


@dataclass(frozen=True)
class Guarantee:
    """All promises of a policy. `confidence` holds for both promises of one stratum together."""

    confidence: float
    parts: tuple[Part, ...]
    unscored: int
    first_run: str
    last_run: str
    assumptions: tuple[str, ...] = ASSUMPTIONS

    @property
    def refusal(self) -> str:
        """Everything that is not promised and why, in words; empty when every side of every stratum is."""
        said = [(f"{part.stratum}: " if part.stratum else "") + part.refusal for part in self.parts if part.refusal]
        return " ".join(said)

    def in_words(self) -> str:
        return " ".join([*(part.in_words() for part in self.parts), "Assumed: ", *self.assumptions])

    def as_json(self) -> dict[str, Any]:
        """Only numbers, strings, lists and None: what an artifact stores and a page shows."""
        document = asdict(self)
        document["refusal"] = self.refusal
        plain = _plain(document)
        assert isinstance(plain, dict)
        return plain

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Guarantee:
        """The guarantee that `as_json` wrote."""
        parts = []
        for part in document["parts"]:
            sides = {side: SideBound(**part[side]) if part[side] else None for side in ("pollution", "loss")}
            parts.append(Part(**{**part, **sides, "members": tuple(part["members"])}))
        rest = {key: value for key, value in document.items() if key not in ("parts", "refusal", "assumptions")}
        return cls(parts=tuple(parts), assumptions=tuple(document["assumptions"]), **rest)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
