"""What a system model answers: per lumisection a score, a verdict and why, on demand the evidence; and stretches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mlcore.conditions import BoolArray, Conditions, FloatArray
from mlcore.evaluate import BAD, GOOD, UNSCORED, UNSURE
from mlcore.explain import OddBin, PastCase
from mlcore.stretches import Segment, Stretch, segments

from .inputs import QUANTITIES, spoken

if TYPE_CHECKING:
    from .inputs import Inputs
    from .model import SystemModel

WORDS = {GOOD: "good", BAD: "bad", UNSURE: "unsure", UNSCORED: "unscored"}
#: below this -log10 of a tail probability (1 in 100) nobody would look at an element
ODD = 2.0


@dataclass(frozen=True)
class OddElement:
    """An element that a detector finds odd: -log10 of how often a good lumisection looks as odd there."""

    element: str
    detector: str
    group: str
    score: float


@dataclass(frozen=True)
class Evidence:
    """What speaks for a verdict on one lumisection.

    elements : the oddest first. bins : the oddest bins of those elements. objects : share of each physics object in
    what is odd. features : what moved the classifier, by SHAP (log odds or probability), when asked for. cases : past
    lumisections that look most alike.
    """

    run: int
    lumisection: int
    verdict: str
    reason: str
    elements: tuple[OddElement, ...]
    bins: tuple[OddBin, ...]
    objects: dict[str, float]
    features: dict[str, float]
    cases: tuple[PastCase, ...]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Scores:
    """The answer of `SystemModel.score` for n lumisections, in the order in which they were given.

    Parameters
    ----------
    conditions : the lumisections.
    score : (n,) higher = worse, on the scale of the model's last step; NaN = cannot score.
    probability : (n,) calibrated P(bad); NaN where there is no score, or when nothing bad was ever seen in training.
    verdict : (n,) int8: 0 good, 1 bad, 2 unsure, 3 unscored.
    complete : (n,) whether every needed element could be scored; what is not complete is never decided automatically.
    family : (n,) suspected defect family, empty for none or when the model knows no families.
    family_probability : (n,) how sure of it, NaN for none.
    elements : (n, members) -log10 of the tail probability per detector and element, in the order of `members`.
    members : (detector, element, physics object) of each column.
    """

    conditions: Conditions
    score: FloatArray
    probability: FloatArray
    verdict: npt.NDArray[np.int8]
    complete: BoolArray
    family: npt.NDArray[np.str_]
    family_probability: FloatArray
    elements: FloatArray
    members: tuple[tuple[str, str, str], ...]
    stretches: tuple[Stretch, ...]
    model: SystemModel = field(repr=False)
    inputs: Inputs = field(repr=False)

    def __len__(self) -> int:
        return len(self.conditions)

    def words(self, row: int) -> str:
        """`good`, `bad`, `unsure` or `unscored`."""
        return WORDS[int(self.verdict[row])]

    def reason(self, row: int) -> str:
        """Why this verdict, in a sentence."""
        verdict, p = int(self.verdict[row]), float(self.probability[row])
        policy = self.model.policy_
        lacking = self.model.lacking(self.elements[row])
        if verdict == UNSCORED:
            names = lacking or [element for _, element, _ in self.members]
            return f"Not scored: {_few(names)} {'is' if len(names) == 1 else 'are'} missing or empty."
        believed = f"P(bad) is {p:.3g}" if np.isfinite(p) else f"the score is {self.score[row]:.3g}"
        if not self.complete[row]:
            return f"Unsure: {_few(lacking)} {'is' if len(lacking) == 1 else 'are'} missing, so nothing is automatic."
        if policy is None:
            return f"Unsure: {believed}, and {self.model.no_policy_}"
        if verdict == GOOD:
            return f"Good: {believed}, below {policy.t_good_:.3g}."
        if verdict == BAD:
            return f"Bad: {believed}, above {policy.t_bad_:.3g}; {self._oddest(row)}"
        if np.isnan(policy.t_good_) and np.isnan(policy.t_bad_):
            return f"Unsure: {believed}, and there is no guarantee. {policy.refusal_}"
        low = "nothing is called good" if np.isnan(policy.t_good_) else f"good is below {policy.t_good_:.3g}"
        high = "nothing is called bad" if np.isnan(policy.t_bad_) else f"bad above {policy.t_bad_:.3g}"
        return f"Unsure: {believed}; {low}, {high}."

    def _oddest(self, row: int) -> str:
        odd = self.odd_elements(row, most=1)
        return f"{odd[0].element} is the oddest element." if odd else "no single element stands out."

    @property
    def reasons(self) -> list[str]:
        return [self.reason(row) for row in range(len(self))]

    @property
    def counts(self) -> dict[str, int]:
        """How many lumisections are good, bad, unsure and unscored; together all of them."""
        return {word: int((self.verdict == value).sum()) for value, word in WORDS.items()}

    def segments(self) -> list[Segment]:
        """The runs cut where the verdict changes: a partition of the lumisections."""
        return segments(self.verdict, self.conditions)

    def odd_elements(self, row: int, *, most: int = 5) -> tuple[OddElement, ...]:
        """The elements that stand out most, the oddest first; each once, by the detector that finds it oddest. Of
        quantities that were looked at together those that lie outside their forecast."""
        values = np.nan_to_num(self.elements[row], nan=-1.0)
        candidates: list[OddElement] = []
        for place, (detector, element, group) in enumerate(self.members):
            several = self._odd_quantities(place, row)
            if several is not None:
                candidates += several
            elif values[place] >= ODD:
                candidates.append(OddElement(element, detector, group, float(values[place])))
        found: dict[str, OddElement] = {}
        for odd in sorted(candidates, key=lambda each: -each.score):
            found.setdefault(odd.element, odd)
        return tuple(found.values())[:most]

    def _odd_quantities(self, member: int, row: int) -> list[OddElement] | None:
        """Those that lie outside their forecast; where none does by itself and all together are odd, the oddest. None
        where the member is no table of quantities that says which is odd."""
        name, element, _ = self.members[member]
        told = self._quantities.get(member) if element.startswith(QUANTITIES) else None
        if told is None:
            return None
        names, groups, scores = told
        here = np.nan_to_num(scores[self._place[row]], nan=-1.0)
        least = float(min(ODD, here.max())) if self.elements[row, member] >= ODD else ODD
        return [OddElement(names[at], name, groups[at], float(here[at])) for at in np.flatnonzero(here >= least)]

    @cached_property
    def _quantities(self) -> dict[int, tuple[tuple[str, ...], tuple[str, ...], FloatArray]]:
        """By member, the quantities that it looks at, their physics objects, and (n, k) -log10 of how often any of them
        lies as far outside its forecast in a good lumisection, in the order of the inputs."""
        return self.model.layer_.odd_quantities(self.inputs)

    @cached_property
    def _place(self) -> npt.NDArray[np.int64]:
        """(n,) where each lumisection is among the inputs, which are in order of time."""
        return self.inputs.conditions.rows_of(self.conditions)

    def evidence(self, row: int, *, features: bool = False) -> Evidence:
        """What speaks for the verdict on this row. `features` adds SHAP values of the classifier (loads shap)."""
        return self.evidences([row], features=features)[0]

    def evidences(self, rows: Sequence[int], *, features: bool = False) -> list[Evidence]:
        """Of many rows, in their order: much quicker than one after the other."""
        return self.model.evidences(self, rows, features=features)

    def evidence_of(self, stretch: Stretch, *, features: bool = False) -> Evidence:
        """The evidence at the peak of a stretch."""
        return self.evidence(stretch.peak, features=features)


def _few(names: list[str]) -> str:
    return ", ".join(map(spoken, names[:3])) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
