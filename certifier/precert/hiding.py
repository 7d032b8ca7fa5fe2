"""What one person may not be told now of what machines say.

Whoever holds a review item that is shown without its verdict is asked what they see themselves. So everything else that
shows verdicts keeps these from that person, and from nobody else, until the item is decided or given back. Who holds
what is known one floor above: the review hands its rule in when the program starts, and whoever shows verdicts asks
`hidden_from`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from certifier.lumi import LumiSet

from .models import ModelVersion, Scoring, Verdict

# How verdicts are drawn, the ones to be seen first on top.
DRAWN = ((Verdict.UNSCORED, "none"), (Verdict.GOOD, "good"), (Verdict.UNSURE, "unsure"), (Verdict.BAD, "bad"))


@dataclass(frozen=True)
class Hidden:
    """Lumisections of a run on which the verdict of one system is hidden from one person, because of which items."""

    lumisections: LumiSet
    until: datetime
    items: tuple[int, ...] = ()

    @property
    def until_words(self) -> str:
        return f"{self.until.astimezone(UTC):%H:%M} UTC"

    @property
    def words(self) -> str:
        named = ", ".join(map(str, self.items))
        held = f"item {named}, which is" if len(self.items) == 1 else f"items {named}, which are"
        return (
            f"Hidden from you until {self.until_words}, and as long as you hold review {held} shown without a verdict. "
            f"Once you have decided or given back, you see what the machine says."
        )


# By key of the run and of the system; of `runs` (keys), or of all.
HiddenOf = Mapping[tuple[int, int], Hidden]
Rule = Callable[[Any, Collection[int] | None], HiddenOf]
_rule: Rule | None = None


def hide_by(rule: Rule) -> None:
    """Who may not see what is what `rule` says from now on."""
    global _rule  # noqa: PLW0603  handed in once, when the program starts
    _rule = rule


def hidden_from(viewer: Any, runs: Collection[int] | None = None) -> HiddenOf:
    """What is hidden from this person now, in the runs of these keys or in all; nothing from the program itself."""
    if _rule is None:
        raise ImproperlyConfigured("Nobody has said what is hidden from whom: certifier.review is not installed.")
    return {} if viewer is None else _rule(viewer, runs)


def drawn_parts(of: Callable[[Verdict], LumiSet], hidden: Hidden | None = None) -> list[tuple[LumiSet, str, str]]:
    """Verdicts along a run as `lane_parts` draws them; what is hidden looks like what is not scored, and says why."""
    if hidden is None:
        return [(of(each), kind, each.label) for each, kind in DRAWN]
    shown = [(of(each) - hidden.lumisections, kind, each.label) for each, kind in DRAWN]
    return [*shown, (hidden.lumisections, "none", f"hidden from you until {hidden.until_words}")]


@dataclass(frozen=True)
class Shown:
    """A scoring as one person sees it."""

    scoring: Scoring
    hidden: Hidden | None = None

    def of(self, verdict: Verdict) -> LumiSet:
        """Without what is hidden, which has no verdict for them, not even that it is not scored."""
        found = self.scoring.of(verdict)
        return found - self.hidden.lumisections if self.hidden else found

    @property
    def parts(self) -> list[tuple[LumiSet, str, str]]:
        """As `lane_parts` draws them."""
        return drawn_parts(self.scoring.of, self.hidden)

    @property
    def scores(self) -> list[float | None]:
        """Of each lumisection, None where there is none."""
        return shown_scores(self.scoring, self.hidden)


def shown_to(viewer: Any, version: ModelVersion, scorings: Iterable[Scoring]) -> list[Shown]:
    """Scorings by one version, whose datasets are read, as this person sees them. One query where they may decide."""
    hidden = hidden_from(viewer)
    return [Shown(row, hidden.get((row.dataset.run_id, version.system_id))) for row in scorings]


def shown_scores(scoring: Scoring, hidden: Hidden | None) -> list[float | None]:
    """Of each lumisection, None where there is none and where it is hidden."""
    known: list[float | None] = [value if value == value else None for value in scoring.scores.tolist()]  # noqa: PLR0124  NaN differs
    for number in hidden.lumisections.clip(len(known)).numbers() if hidden else ():
        known[number - 1] = None
    return known
