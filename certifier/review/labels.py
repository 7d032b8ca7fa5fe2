"""What experts have said of lumisections, as it holds now: a function of the decisions, the later one winning."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from certifier.accounts.models import System
from certifier.defects.models import Defect
from certifier.lumi import LumiSet
from certifier.precert.models import Scoring
from certifier.runs.models import Dataset, Run

from .models import Answer, Decision, Item, Kind


@dataclass(frozen=True)
class Said:
    """What holds of one decision: the parts of it that no later decision replaced.

    `good` and `bad` do not overlap; both are lumisections of the run of `item`.
    """

    decision: Decision
    good: LumiSet
    bad: LumiSet

    @property
    def item(self) -> Item:
        return self.decision.item

    @property
    def lumisections(self) -> LumiSet:
        return self.good | self.bad


@dataclass(frozen=True)
class Label:
    """Lumisections of a dataset on which one expert's word holds, good or bad, and how it came about.

    `defects` are the names, as they are now, of what is wrong there; empty where it is good. `is_audit` says that the
    lumisections were sent by chance and without their verdict, with the probability `chance`: only such labels
    tell how often automatic verdicts are wrong. `verdict` is what the item was sent for; `called_good` and
    `called_bad` are what the machine had said of these lumisections, of the rest of which it was not sure.
    """

    system: int
    run: Run
    dataset: Dataset
    lumisections: LumiSet
    is_bad: bool
    defects: tuple[str, ...]
    by: str
    at: datetime
    is_audit: bool
    chance: float
    verdict: str
    called_good: LumiSet
    called_bad: LumiSet
    was_blind: bool
    decision: int


def decisions_in_force() -> QuerySet[Decision]:
    """Those that nobody undid, without the undoings, in the order in which they were said."""
    rows = Decision.objects.exclude(answer=Answer.UNDO).filter(undone_by=None)
    return rows.select_related("item__run", "item__system", "item__scoring__dataset").defer(
        "item__scoring__packed", "item__run__attributes"
    ).order_by("id")  # fmt: skip


def in_force(rows: Iterable[Decision]) -> list[Said]:
    """What holds after these decisions (of any runs and systems, in the order in which they were said)."""
    taken: dict[tuple[int, int], LumiSet] = {}
    found = []
    for row in reversed(list(rows)):
        key = (row.item.run_id, row.item.system_id)
        later = taken.get(key, LumiSet())
        good, bad = row.good - later, row.bad - later
        if good or bad:
            found.append(Said(row, good, bad))
            taken[key] = later | good | bad
    found.reverse()
    return found


def said_of_run(run: Run, system: System) -> list[Said]:
    """What experts said of a system of a run, as it holds now."""
    return in_force(decisions_in_force().filter(item__run=run, item__system=system))


def called_bad(run: Run, system: System) -> list[tuple[LumiSet, list[int]]]:
    """Where an expert's last word is that something is wrong, with the keys of the defects; one narrow query."""
    rows = Decision.objects.exclude(answer=Answer.UNDO).filter(undone_by=None, item__run=run, item__system=system)
    found, later = [], LumiSet()
    for good, bad, defects in rows.order_by("-id").values_list("good", "bad", "defects"):
        if left := bad - later:
            found.append((left, defects))
        later = later | good | bad
    return found


def labels_of(system: System, *, runs: Iterable[int] | None = None) -> Iterator[Label]:
    """Every label of a system, in the order in which it was said: what `training` learns from.

    Per decision at most two: its good and its bad lumisections, less what a later decision said otherwise. A decision
    that was undone gives none. A label belongs to the dataset whose scoring was looked at; since it is a fact about the
    run, it holds for the run's other datasets as well, unless they were reprocessed because of it. `runs` (numbers)
    chooses. Two queries.
    """
    rows = decisions_in_force().filter(item__system=system)
    if runs is not None:
        rows = rows.filter(item__run__number__in=list(runs))
    return _labels(rows)


def labels_by_system() -> dict[int, list[Label]]:
    """The same of every system that has some, by its key; two queries for all of them."""
    found: dict[int, list[Label]] = {}
    for label in _labels(decisions_in_force()):
        found.setdefault(label.system, []).append(label)
    return found


def _labels(rows: QuerySet[Decision]) -> Iterator[Label]:
    names = dict(Defect.objects.values_list("pk", "name"))
    for said in in_force(rows):
        for lumisections, is_bad in ((said.good, False), (said.bad, True)):
            if lumisections:
                yield _label(said, lumisections, is_bad, names)


def _label(said: Said, lumisections: LumiSet, is_bad: bool, names: dict[int, str]) -> Label:
    item, decision = said.item, said.decision
    return Label(
        system=item.system_id,
        run=item.run,
        dataset=item.scoring.dataset,
        lumisections=lumisections,
        is_bad=is_bad,
        defects=tuple(names[pk] for pk in decision.defects if pk in names) if is_bad else (),
        by=decision.by_name,
        at=decision.at,
        is_audit=item.kind == Kind.AUDIT,
        chance=item.chance,
        verdict=item.verdict,
        called_good=lumisections & item.scoring.good,
        called_bad=lumisections & item.scoring.bad,
        was_blind=decision.was_blind,
        decision=decision.pk,
    )


def verdict_sets(scoring: Scoring) -> dict[str, LumiSet]:
    """By verdict, the lumisections of a scoring."""
    return {"good": scoring.good, "bad": scoring.bad, "unsure": scoring.unsure, "unscored": scoring.unscored}
