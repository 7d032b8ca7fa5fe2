"""What a model promises, read from its manifest: which side, how sure, from which sample, or why it does not.

The promises are made by `mlcore.selective`, which needs scikit-learn; pages only read what it wrote. What cannot be
read promises nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

NAMES = {"pollution": "called good and bad", "loss": "good and called bad"}


@dataclass(frozen=True)
class Side:
    """One promise: pollution (bad among what is called good) or loss (called bad among the good) stays below `limit`.

    Without a threshold nothing is promised, and `refusal` says why.
    """

    side: str
    limit: float
    confidence: float
    threshold: float | None
    bound: float | None
    observed: float | None
    lumisections: int
    n_effective: float | None
    design_effect: float | None
    needed: int
    refusal: str = ""
    # Where verdicts begin: where both promises overlap, one threshold between theirs serves both.
    decides_at: float | None = None

    @property
    def is_promised(self) -> bool:
        return self.threshold is not None

    @property
    def meaning(self) -> str:
        return NAMES.get(self.side, self.side)

    @property
    def limit_text(self) -> str:
        return f"{100 * self.limit:.3g}%"

    @property
    def decides(self) -> str:
        """Which lumisections it decides by itself: P(bad) below 0.012."""
        at = self.threshold if self.decides_at is None else self.decides_at
        if at is None:
            return ""
        return f"P(bad) {'below' if self.side == 'pollution' else 'above'} {at:.3g}"


@dataclass(frozen=True)
class Stratum:
    """The promises under certain conditions (beam, pile-up); one without a name when there is no such division."""

    name: str
    sides: tuple[Side, ...]
    lumisections: int
    bad: int
    runs: int
    automatic: float | None


@dataclass(frozen=True)
class Guarantee:
    strata: tuple[Stratum, ...] = ()
    first_run: str = ""
    last_run: str = ""
    assumptions: tuple[str, ...] = ()

    @property
    def sides(self) -> list[Side]:
        return [side for stratum in self.strata for side in stratum.sides]

    @property
    def promises(self) -> list[Side]:
        return [side for side in self.sides if side.is_promised]

    @property
    def certifies(self) -> bool:
        """Whether anything at all is decided under a bound."""
        return bool(self.promises)

    @property
    def certifies_good(self) -> bool:
        return any(side.side == "pollution" for side in self.promises)

    @property
    def runs(self) -> int:
        return sum(stratum.runs for stratum in self.strata)

    @property
    def words(self) -> str:
        """In one sentence what is promised, or why nothing is."""
        if self.promises:
            said = dict.fromkeys(
                f"{side.side} below {side.limit_text} at {100 * side.confidence:.3g}% confidence"
                for side in self.promises
            )
            return f"Promises {' and '.join(said)}."
        refusals = dict.fromkeys(side.refusal for side in self.sides if side.refusal)
        return " ".join(refusals) or "The model states no guarantee: nothing is decided without a person."


def read_guarantee(document: Mapping[str, Any]) -> Guarantee:
    """From the JSON of `mlcore.selective.Guarantee.as_json`."""
    try:
        return Guarantee(
            tuple(_stratum(part) for part in document["parts"]),
            str(document.get("first_run", "")),
            str(document.get("last_run", "")),
            tuple(str(text) for text in document.get("assumptions", ())),
        )
    except (KeyError, TypeError, AttributeError, ValueError):
        return Guarantee()


def _stratum(part: Mapping[str, Any]) -> Stratum:
    decides = {"pollution": part.get("t_good"), "loss": part.get("t_bad")}
    sides = tuple(_side({**part[name], "decides_at": decides[name]}) for name in NAMES if part.get(name))
    return Stratum(
        str(part["stratum"]),
        sides,
        int(part["lumisections"]),
        int(part["bad"]),
        int(part["runs"]),
        part.get("automatic"),
    )


def _side(stored: Mapping[str, Any]) -> Side:
    known = {column.name: stored.get(column.name) for column in fields(Side)}
    known["refusal"] = str(stored.get("refusal") or "")
    side = Side(**known)  # type: ignore[arg-type]  # looked at in the next line, and by whoever formats it
    numbers = (side.limit, side.confidence, side.lumisections, side.needed)
    optional = (side.threshold, side.bound, side.observed, side.n_effective, side.design_effect, side.decides_at)
    if not all(isinstance(number, int | float) for number in (*numbers, *(n for n in optional if n is not None))):
        raise TypeError("a promise is made of numbers")
    return side
