"""Deciding and undoing: the label, and the defect entries that it implies, in one unit of work.

An item is a suspicion about a stretch. Confirm says that something is wrong there; override says that data are fine,
or, with a defect, that something else is wrong. Lumisections narrow (or widen) what was meant: of the rest of the item
the opposite holds, since whoever decides has looked at all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import Max
from django.utils import timezone

from certifier.accounts import permissions
from certifier.accounts.models import System, User
from certifier.audit.unit import Unit, unit_of_work
from certifier.defects import services as defects
from certifier.defects.models import Defect, Entry, Source
from certifier.defects.naming import did_you_mean, key_of, quoted
from certifier.defects.resolution import said_of_run as entries_of_run
from certifier.defects.resolution import state_of
from certifier.defects.services import NewEntry
from certifier.lumi import LumiError, LumiSet
from certifier.runs.changes import announce
from certifier.runs.models import Run

from . import claims, services
from .errors import AlreadyUndone, DecisionRefused
from .labels import called_bad
from .models import Action, Answer, Claim, Decision, Item, ItemState, SignOff
from .rules import SIGNED, STAGES

LONGEST_COMMENT: Final = services.LONGEST_COMMENT
MOST_DEFECTS: Final = 8


def decide(
    *,
    actor: User | None,
    item: Item,
    verdict: str,
    lumisections: str | LumiSet | None = None,
    defect: str | Sequence[str] = (),
    comment: str = "",
    batch: str = "",
) -> Decision:
    """Say what is so. Experts of the system and coordinators; the item is free, or the actor's.

    Confirm: bad on `lumisections` (the item's, when left out), by `defect` or else the suspected one, and good on the
    rest of the item. Override without a defect: fine on `lumisections`, and bad on the rest, by the suspected defect.
    Override with a defect: as confirm, against what was suspected. Writes what entries are needed for that to be so:
    the defect present where it is not, and absent where it was called so. Raises DecisionRefused with the field,
    ItemSuperseded, AlreadyDecided, HeldByOther, and what recording raises.
    """
    if verdict not in {Answer.CONFIRM, Answer.OVERRIDE}:
        raise DecisionRefused(f"“{verdict[:20]}” is no verdict. Use confirm or override.", field="verdict")
    if len(comment) > LONGEST_COMMENT:
        raise DecisionRefused(f"A comment has at most {LONGEST_COMMENT:,} characters.", field="comment")
    now = timezone.now()
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_review(actor, item.system))
        row = claims.locked(item)
        claims.check_open(row)
        held = claims.live_claim(row, now)
        if held is not None and (actor is None or held.by_id != actor.pk):
            raise claims.held_by_other(row)
        meant = _meant(row, Answer(verdict), lumisections, [defect] if isinstance(defect, str) else defect)
        entries = _record(unit, row, meant, comment)
        done = Decision.objects.create(
            item=row,
            number=_next_number(row),
            answer=verdict,
            good=meant.good,
            bad=meant.bad,
            defects=[each.pk for each in meant.defects],
            entries=[entry.pk for entry in entries],
            was_blind=row.is_blind,
            batch=batch,
            comment=comment.strip(),
            **_by(unit, now),
        )
        _close(row)
        _tell(unit, done, row)
    return done


@dataclass(frozen=True)
class Meant:
    """What somebody says: good here, bad there by these defects."""

    good: LumiSet
    bad: LumiSet
    defects: Sequence[Defect]


def _meant(item: Item, answer: Answer, lumisections: str | LumiSet | None, names: Sequence[str]) -> Meant:
    names = [name for name in names if name.strip()]
    where = _lumisections(item, lumisections)
    rest = item.lumisections - where
    says_bad = answer == Answer.CONFIRM or bool(names)
    good, bad = (rest, where) if says_bad else (where, rest)
    chosen = _defects(item, names) if bad else []
    return Meant(good, bad, chosen)


def _lumisections(item: Item, given: str | LumiSet | None) -> LumiSet:
    if given is None or (isinstance(given, str) and not given.strip()):
        return item.lumisections
    try:
        where = given if isinstance(given, LumiSet) else LumiSet.parse(given, item.run.last_lumisection)
    except LumiError as error:
        raise DecisionRefused(str(error), field="lumisections") from error
    if not where:
        raise DecisionRefused("No lumisection is named. Leave them out to mean the whole item.", field="lumisections")
    if beyond := where - item.run.domain:
        last = item.run.last_lumisection
        raise DecisionRefused(f"Run {item.run.number} has no {beyond}; it ends with {last}.", field="lumisections")
    return where


def _defects(item: Item, names: Sequence[str]) -> list[Defect]:
    """The primary defects of these names; without a name the suspected one."""
    if len(names) > MOST_DEFECTS:
        raise DecisionRefused(f"Name at most {MOST_DEFECTS} defects.", field="defect")
    if not names:
        suspected = suspected_of(item)
        if suspected is None:
            raise DecisionRefused("Say which defect it is: none is suspected here.", field="defect")
        return [suspected]
    keys = list(dict.fromkeys(key_of(name.strip()) for name in names))
    known = {row.name_key: row for row in Defect.objects.filter(name_key__in=keys)}
    for key in keys:
        if key not in known:
            every = list(Defect.objects.filter(expression=None).values_list("name", flat=True))
            raise DecisionRefused(f"There is no defect {quoted(key)}.{did_you_mean(key, every)}", field="defect")
        if known[key].is_virtual:
            raise DecisionRefused(
                f"{known[key].name} is virtual: it follows from others. Name one of these.", field="defect"
            )
    return [known[key] for key in keys]


def suspected_of(item: Item) -> Defect | None:
    """The defect that the model suspects, where it is one of ours."""
    return suspects_of([item]).get(item.pk)


def suspects_of(items: Iterable[Item]) -> dict[int, Defect]:
    """The same of many, by key of the item; where none is suspected, or it is not one of ours, the item is left out."""
    names = {item.pk: item.finding.suspected_defect for item in items if item.finding is not None}
    keys = {pk: key_of(name) for pk, name in names.items() if name}
    known = {row.name_key: row for row in Defect.objects.filter(name_key__in=set(keys.values()), expression=None)}
    return {pk: known[key] for pk, key in keys.items() if key in known}


# --- entries --------------------------------------------------------------------------------------------------


def _record(unit: Unit, item: Item, meant: Meant, comment: str) -> list[Entry]:
    """The entries that make it so: nothing is written twice, and nothing about other defects."""
    said = entries_of_run(item.run_id)
    wanted: list[NewEntry] = []
    text = comment.strip() or f"review item {item.pk}"
    for defect in meant.defects:
        missing = meant.bad - LumiSet.from_bits(state_of(said.get(defect.pk, ())).present)
        if missing:
            wanted.append(NewEntry(run=item.run.number, defect=defect.name, lumisections=missing, comment=text))
    for defect in _denied(item, meant):
        there = LumiSet.from_bits(state_of(said.get(defect.pk, ())).present) & meant.good
        if there:
            wanted.append(
                NewEntry(run=item.run.number, defect=defect.name, lumisections=there, present=False, comment=text)
            )
    return _write(unit, wanted)


def _denied(item: Item, meant: Meant) -> list[Defect]:
    """Which defects are not there where data are called fine: the suspected one, those that are named, and those that
    earlier decisions about the same lumisections wrote."""
    if not meant.good:
        return []
    found = {defect.pk: defect for defect in meant.defects}
    suspected = suspected_of(item)
    if suspected is not None:
        found[suspected.pk] = suspected
    keys = {pk for bad, named in called_bad(item.run, item.system) if bad & meant.good for pk in named} - set(found)
    return [*found.values(), *(Defect.objects.filter(pk__in=keys) if keys else ())]


def _write(unit: Unit, wanted: Sequence[NewEntry]) -> list[Entry]:
    if not wanted:
        return []
    actor: Any = unit.actor
    return defects.record_entries(actor=actor, entries=wanted, source=Source.REVIEW)


# --- undoing --------------------------------------------------------------------------------------------------


def undo(*, actor: User | None, decision: Decision, reason: str = "") -> Decision:
    """Take a decision back: a new row, and entries that bring back what was so before, where nobody has said anything
    since. The item is open again. Experts of the system and coordinators.

    Where the system was signed after the decision, a reason is required, and the signature is reopened with it.
    Raises DecisionRefused, AlreadyUndone, ItemSuperseded.
    """
    if len(reason) > LONGEST_COMMENT:
        raise DecisionRefused(f"A reason has at most {LONGEST_COMMENT:,} characters.", field="comment")
    now = timezone.now()
    system, run = decision.item.system, decision.item.run
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_review(actor, system))
        # The run first: signing and pulling lock it before anything else.
        Run.objects.select_for_update(no_key=True).get(pk=run.pk)
        row = claims.locked(decision.item)
        _check_undoable(decision, row)
        stage = signed_since(decision)
        if stage is not None:
            if not reason.strip():
                raise DecisionRefused(
                    f"{system.code} {stage} of run {run.number} was signed after this decision. Say why it is undone: "
                    "the signature is reopened with that reason.",
                    field="comment",
                )
            services.reopen(actor=actor, run=run, system=system, stage=stage, comment=reason)
        entries = _reverse(unit, decision, reason)
        done = Decision.objects.create(
            item=row,
            number=_next_number(row),
            answer=Answer.UNDO,
            undoes=decision,
            entries=[entry.pk for entry in entries],
            was_blind=False,
            comment=reason.strip(),
            **_by(unit, now),
        )
        row.state = ItemState.OPEN
        row.save(update_fields=["state"])
        data = {"item": row.pk, "decision": decision.pk, "reason": reason.strip(), "reopened": stage}
        unit.audit("review.undo", f"run {run.number}", data)
        announce(unit, "review.undo", run=run.number, data=data | {"system": system.code})
    return done


def _check_undoable(decision: Decision, item: Item) -> None:
    if decision.answer == Answer.UNDO:
        raise DecisionRefused("This is an undoing. Decide the item again instead.")
    if Decision.objects.filter(undoes=decision).exists():
        raise AlreadyUndone("Somebody undid this decision already.")
    if item.state != ItemState.DECIDED:
        raise AlreadyUndone(f"Item {item.pk} is {item.get_state_display()} already.")


def signed_since(decision: Decision) -> str | None:
    """The first stage of the system that is signed now, and was signed after the decision."""
    run, system = decision.item.run, decision.item.system
    states = services.states_of(run, system)
    acts = SignOff.objects.filter(run=run, system=system, action=Action.SIGN, at__gte=decision.at)
    later = set(acts.values_list("stage", flat=True))
    return next((stage for stage in STAGES if states.get(stage) == SIGNED and stage in later), None)


def _reverse(unit: Unit, decision: Decision, reason: str) -> list[Entry]:
    """What was so before each entry of a decision, where that entry is still the last word."""
    text = reason.strip() or f"undone: review item {decision.item_id}"
    run = decision.item.run
    wanted: list[NewEntry] = []
    for mine in Entry.objects.filter(pk__in=decision.entries).select_related("defect").order_by("id"):
        rows = list(Entry.objects.filter(run=run, defect=mine.defect).order_by("id"))
        still = mine.lumisections
        for later in rows:
            if later.pk > mine.pk:
                still -= later.lumisections
        wanted += _as_before(mine, [row for row in rows if row.pk < mine.pk], still, text)
    return _write(unit, wanted)


def _as_before(mine: Entry, rows: Iterable[Entry], still: LumiSet, text: str) -> list[NewEntry]:
    """Present where it was, in the same way; else absent."""
    present, recoverable = LumiSet(), LumiSet()
    for row in rows:
        present = present | row.lumisections if row.present else present - row.lumisections
        recoverable = recoverable | row.lumisections if row.recoverable else recoverable - row.lumisections
    name, number = mine.defect.name, mine.run.number
    states = ((still & present & recoverable, True, True), (still & (present - recoverable), True, False),
              (still - present, False, False))  # fmt: skip
    return [
        NewEntry(run=number, defect=name, lumisections=where, present=is_there, recoverable=can, comment=text)
        for where, is_there, can in states
        # An entry that said absent is not undone by saying so again.
        if where and is_there != mine.present
    ]


# --- shared ---------------------------------------------------------------------------------------------------


def _next_number(item: Item) -> int:
    newest = Decision.objects.filter(item=item).aggregate(newest=Max("number"))["newest"]
    return (newest or 0) + 1


def _close(item: Item) -> None:
    item.state = ItemState.DECIDED
    item.save(update_fields=["state"])
    Claim.objects.filter(item=item).delete()


def _by(unit: Unit, now: datetime) -> dict[str, Any]:
    return {"by": unit.actor, "by_name": unit.actor_name, "at": now}


def _tell(unit: Unit, done: Decision, item: Item) -> None:
    system: System = item.system
    data = {
        "item": item.pk,
        "decision": done.pk,
        "system": system.code,
        "answer": str(done.answer),
        "good": str(done.good),
        "bad": str(done.bad),
    }
    unit.audit("review.decide", f"run {item.run.number}", data)
    announce(unit, "review.decision", run=item.run.number, data=data)
