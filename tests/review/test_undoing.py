"""To undo is a new row: the label falls, the entries are reversed, and a signature that relied on them is reopened."""

from __future__ import annotations

import pytest

from certifier.accounts.models import System, User
from certifier.accounts.permissions import NotAllowed
from certifier.defects import services as defects
from certifier.defects.models import Entry
from certifier.defects.selectors import run_defects
from certifier.review import services
from certifier.review.deciding import decide, undo
from certifier.review.errors import AlreadyUndone, DecisionRefused
from certifier.review.labels import labels_of
from certifier.review.models import Answer, Item, ItemState, SignOff
from certifier.runs.models import Run

from .queue_world import CORRUPT, NOISE, RUN, F, define, queue


@pytest.fixture
def item(lar: System) -> Item:
    define(lar)
    return queue(lar, F("5-9", "bad", NOISE))[0]


def record(name: str, where: str, *, present: bool = True, recoverable: bool = False) -> None:
    new = defects.NewEntry(run=RUN, defect=name, lumisections=where, present=present, recoverable=recoverable)
    defects.record_entries(actor=None, entries=[new], source="page")


def now(name: str = NOISE) -> tuple[str, str]:
    """Where it is present, and where that is recoverable."""
    for defect in run_defects(Run.objects.get()).defects:
        if defect.defect == name:
            return str(defect.present), str(defect.recoverable)
    return "", ""


def test_it_takes_back_what_was_recorded(item: Item, ada: User, lar: System) -> None:
    done = decide(actor=ada, item=item, verdict="confirm")
    row = undo(actor=ada, decision=done)
    assert (row.answer, row.undoes, row.number) == (Answer.UNDO, done, 2)
    assert now() == ("", "")
    assert list(labels_of(lar)) == []
    item.refresh_from_db()
    assert item.state == ItemState.OPEN
    assert Entry.objects.count() == 2, "nothing is overwritten"


def test_what_was_there_before_is_there_again(item: Item, ada: User) -> None:
    record(NOISE, "1-6", recoverable=True)
    record(NOISE, "8-8")
    done = decide(actor=ada, item=item, verdict="override")
    assert now() == ("1-4", "1-4")
    undo(actor=ada, decision=done)
    assert now() == ("1-6 8", "1-6")


def test_what_somebody_said_since_stands(item: Item, ada: User) -> None:
    done = decide(actor=ada, item=item, verdict="confirm")
    record(NOISE, "8-20", recoverable=True)
    undo(actor=ada, decision=done)
    assert now() == ("8-20", "8-20")


def test_an_undone_item_is_decided_anew(item: Item, ada: User, chi: User, lar: System) -> None:
    first = decide(actor=ada, item=item, verdict="confirm")
    undo(actor=chi, decision=first)
    decide(actor=chi, item=item, verdict="override", defect=CORRUPT)
    assert now() == ("", "")
    assert now(CORRUPT) == ("5-9", "")
    assert [(label.by, label.defects) for label in labels_of(lar)] == [("chi", (CORRUPT,))]


def test_it_is_undone_once(item: Item, ada: User) -> None:
    done = decide(actor=ada, item=item, verdict="confirm")
    row = undo(actor=ada, decision=done)
    with pytest.raises(AlreadyUndone):
        undo(actor=ada, decision=done)
    with pytest.raises(DecisionRefused, match="is an undoing"):
        undo(actor=ada, decision=row)


def test_a_decision_that_a_later_one_replaced_is_not_undone(item: Item, ada: User) -> None:
    first = decide(actor=ada, item=item, verdict="confirm")
    undo(actor=ada, decision=first)
    decide(actor=ada, item=item, verdict="override")
    with pytest.raises(AlreadyUndone):
        undo(actor=ada, decision=first)


def test_after_the_signature_it_needs_a_reason_and_reopens_it(item: Item, ada: User, lar: System) -> None:
    done = decide(actor=ada, item=item, verdict="confirm")
    for stage in ("express", "bulk"):
        services.sign_off(actor=ada, run=item.run, system=lar, stage=stage)
    with pytest.raises(DecisionRefused, match="LAR express of run 350479 was signed after") as refusal:
        undo(actor=ada, decision=done)
    assert refusal.value.errors[0]["field"] == "comment"
    assert now() == ("5-9", "")
    undo(actor=ada, decision=done, reason="It was the trigger.")
    acts = SignOff.objects.filter(action="reopen").values_list("stage", "comment")
    assert set(acts) == {("express", "It was the trigger."), ("bulk", "It was the trigger.")}


def test_a_signature_from_before_the_decision_is_left_alone(item: Item, ada: User, lar: System) -> None:
    services.sign_off(actor=ada, run=item.run, system=lar, stage="express")
    undo(actor=ada, decision=decide(actor=ada, item=item, verdict="confirm"))
    assert not SignOff.objects.filter(action="reopen").exists()


def test_only_experts_of_the_system_undo(item: Item, ada: User, ben: User, dee: User) -> None:
    done = decide(actor=ada, item=item, verdict="confirm")
    for person in (ben, dee):
        with pytest.raises(NotAllowed, match="expert of LAR"):
            undo(actor=person, decision=done, reason="No.")
    assert now() == ("5-9", "")
