"""Checklists: what the experts of a system want looked at before a stage of it is signed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone

from certifier.accounts import permissions
from certifier.accounts.models import System, User
from certifier.audit.errors import CertifierError, Conflict
from certifier.audit.unit import unit_of_work

from .models import Checklist, Stage

MOST_POINTS: Final = 40
LONGEST_POINT: Final = 300


class ChecklistRefused(CertifierError):
    """The checklist, or what was ticked of it, makes no sense as sent; the message says what to do."""


class ChecklistChanged(Conflict):
    """Somebody changed the checklist since it was shown."""

    def __init__(self, system: str, stage: str) -> None:
        super().__init__(
            f"The checklist of {system} {stage} was changed since you opened it. Nothing was done; "
            "look at it as it is now."
        )


@dataclass(frozen=True)
class Ticks:
    """What somebody ticked (places from 0) of the checklist `number`; 0 where they were shown none."""

    number: int
    ticked: tuple[int, ...] = ()


def write_checklist(
    *, actor: User | None, system: System, stage: str, points: Sequence[str], expected: int | None = None
) -> Checklist:
    """A new version of the checklist; without points there is none any more. Experts of the system and coordinators.

    The same points again write nothing. `expected` is the number the writer had before their eyes: ChecklistChanged
    when there is a newer one.
    """
    kept = _cleaned(points, stage)
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_write_checklist(actor, system))
        now = _newest(system, stage)
        number = now.number if now is not None else 0
        if expected is not None and expected != number:
            raise ChecklistChanged(system.code, stage)
        if now is not None and now.points == kept:
            return now
        try:
            with transaction.atomic():
                row = Checklist.objects.create(
                    system=system,
                    stage=stage,
                    number=number + 1,
                    points=kept,
                    by=unit.actor,  # type: ignore[misc]  # the audit room knows no more than that it is a person
                    by_name=unit.actor_name,
                    at=timezone.now(),
                )
        except IntegrityError:
            raise ChecklistChanged(system.code, stage) from None
        data = {"stage": stage, "number": row.number, "points": kept}
        unit.audit("review.write_checklist", f"system {system.code}", data)
    return row


def _cleaned(points: Sequence[str], stage: str) -> list[str]:
    if stage not in Stage.values:
        raise ChecklistRefused(f"“{stage[:40]}” is no stage. Choose one of {', '.join(Stage.values)}.", field="stage")
    kept = list(dict.fromkeys(text for point in points if (text := " ".join(point.split()))))
    if len(kept) > MOST_POINTS:
        raise ChecklistRefused(f"A checklist has at most {MOST_POINTS} points, these are {len(kept)}.", field="points")
    for text in kept:
        if len(text) > LONGEST_POINT or not text.isprintable():
            raise ChecklistRefused(
                f"A point has at most {LONGEST_POINT} printable characters: “{text[:40]}…”.", field="points"
            )
    return kept


def check(system: System, stage: str, ticks: Ticks, comment: str) -> Checklist | None:
    """The checklist that was ticked; None where there is none. Raises ChecklistChanged when it is not the one that
    holds, and ChecklistRefused when a point is left open and no comment says why."""
    held = checklist_of(system, stage)
    if ticks.number != (held.number if held is not None else 0):
        raise ChecklistChanged(system.code, stage)
    if held is None:
        return None
    places = set(ticks.ticked)
    if not places <= set(range(len(held.points))):
        raise ChecklistRefused("A point was ticked that the checklist does not have.", field="ticked")
    left = [text for place, text in enumerate(held.points) if place not in places]
    if left and not comment.strip():
        more = f" and {len(left) - 1} more" if len(left) > 1 else ""
        raise ChecklistRefused(
            f"Not ticked: “{left[0]}”{more}. Look at it, or say in the comment why it need not be.", field="ticked"
        )
    return held


# -- reads -----------------------------------------------------------------------------------------


def _newest(system: System, stage: str) -> Checklist | None:
    return Checklist.objects.filter(system=system, stage=stage).order_by("-number").first()


def checklist_of(system: System, stage: str) -> Checklist | None:
    """The one that holds; None where there is none, or its newest version has no points."""
    newest = _newest(system, stage)
    return newest if newest is not None and newest.points else None


def all_checklists() -> dict[tuple[int, str], Checklist]:
    """The newest by (key of the system, stage), those without points among them. One query."""
    newest = Checklist.objects.order_by().values("system_id", "stage").annotate(newest=Max("id")).values("newest")
    rows = Checklist.objects.filter(id__in=newest)
    return {(row.system_id, row.stage): row for row in rows}


def known_checklists(count: int, at: datetime | None) -> dict[tuple[int, str], Checklist]:
    """As `all_checklists`, for who has read how many versions there are and when the newest was written. They are only
    added, so what was read for these is kept: no query while nobody writes one."""
    return dict(_checklists(count, at)) if count else {}


@lru_cache(maxsize=2)
def _checklists(count: int, at: datetime | None) -> dict[tuple[int, str], Checklist]:
    return all_checklists()


def versions_of(system: System, stage: str) -> list[Checklist]:
    """Every version, the newest first."""
    return list(Checklist.objects.filter(system=system, stage=stage).order_by("-number"))
