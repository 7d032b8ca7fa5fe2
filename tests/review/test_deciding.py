"""A decision is a label, and writes the defect entries that it implies: no more and no less."""

from __future__ import annotations

import pytest

from certifier.accounts.models import System, User
from certifier.accounts.permissions import NotAllowed
from certifier.audit.errors import CertifierError
from certifier.audit.models import AuditEvent
from certifier.defects import services as defects
from certifier.defects.models import Entry
from certifier.review import claims
from certifier.review.deciding import decide
from certifier.review.errors import AlreadyDecided, DecisionRefused, HeldByOther, ItemSuperseded
from certifier.review.intake import find_items
from certifier.review.models import Answer, Item
from certifier.runs.models import Change
from tests import cast

from .queue_world import CORRUPT, NOISE, RUN, F, champion, define, items, queue, score


@pytest.fixture
def item(lar: System) -> Item:
    define(lar)
    return queue(lar, F("5-9", "bad", NOISE))[0]


def entries() -> list[tuple[str, str, bool]]:
    rows = Entry.objects.filter(source="review").select_related("defect").order_by("id")
    return [(row.defect.name, str(row.lumisections), row.present) for row in rows]


def record(item: Item, name: str, where: str, *, present: bool = True, recoverable: bool = False) -> None:
    new = defects.NewEntry(run=RUN, defect=name, lumisections=where, present=present, recoverable=recoverable)
    defects.record_entries(actor=None, entries=[new], source="robot")


def test_to_confirm_records_the_suspected_defect(item: Item, ada: User) -> None:
    done = decide(actor=ada, item=item, verdict="confirm", comment="seen it")
    assert (str(done.bad), str(done.good), done.by_name) == ("5-9", "", "ada")
    assert entries() == [(NOISE, "5-9", True)]
    assert done.entries == [Entry.objects.get().pk]
    item.refresh_from_db()
    assert item.state == "decided"


def test_the_decision_is_told_and_audited_with_its_entries(item: Item, ada: User) -> None:
    done = decide(actor=ada, item=item, verdict="confirm")
    event = AuditEvent.objects.get(code="review.decide")
    assert (event.actor, event.data["decision"]) == (ada, done.pk)
    assert AuditEvent.objects.filter(code="defects.record_entries", request_id=event.request_id).exists()
    assert Change.objects.filter(kind="review.decision", run=RUN).exists()


def test_what_is_recorded_already_is_not_recorded_again(item: Item, ada: User) -> None:
    record(item, NOISE, "1-7", recoverable=True)
    decide(actor=ada, item=item, verdict="confirm")
    assert entries() == [(NOISE, "8-9", True)]


def test_to_override_says_that_data_are_fine_and_writes_nothing_where_nothing_was(item: Item, ada: User) -> None:
    done = decide(actor=ada, item=item, verdict="override")
    assert (str(done.good), str(done.bad), done.defects) == ("5-9", "", [])
    assert entries() == []


def test_to_override_takes_back_what_a_machine_recorded_there(item: Item, ada: User) -> None:
    record(item, NOISE, "8-20")
    record(item, CORRUPT, "5-9")
    decide(actor=ada, item=item, verdict="override")
    assert entries() == [(NOISE, "8-9", False)], "of another defect nobody spoke"


def test_another_range_and_defect_are_recorded_as_given(item: Item, ada: User) -> None:
    done = decide(actor=ada, item=item, verdict="override", lumisections="7-12", defect=CORRUPT)
    assert entries() == [(CORRUPT, "7-12", True)]
    assert (str(done.bad), str(done.good)) == ("7-12", "5-6"), "the rest of the item was looked at, too"


def test_what_is_fine_in_part_is_bad_in_the_rest(item: Item, ada: User) -> None:
    done = decide(actor=ada, item=item, verdict="override", lumisections="5-6")
    assert (str(done.good), str(done.bad)) == ("5-6", "7-9")
    assert entries() == [(NOISE, "7-9", True)]


def test_a_narrower_range_takes_back_the_rest(item: Item, ada: User) -> None:
    record(item, NOISE, "5-9")
    decide(actor=ada, item=item, verdict="confirm", lumisections="5-7")
    assert entries() == [(NOISE, "8-9", False)]


def test_several_defects_may_be_named(item: Item, ada: User) -> None:
    decide(actor=ada, item=item, verdict="confirm", defect=[NOISE, CORRUPT.lower()])
    assert entries() == [(NOISE, "5-9", True), (CORRUPT, "5-9", True)]


def test_without_a_suspicion_the_defect_has_to_be_named(lar: System, ada: User) -> None:
    define(lar)
    [item] = queue(lar, F("5-9", "unsure", ""))
    with pytest.raises(DecisionRefused, match="Say which defect") as refusal:
        decide(actor=ada, item=item, verdict="confirm")
    assert refusal.value.errors[0]["field"] == "defect"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"verdict": "perhaps"}, "verdict"),
        ({"lumisections": "5-x"}, "lumisections"),
        ({"lumisections": "99-101"}, "lumisections"),
        ({"defect": "LAR_NOISEBURS"}, "defect"),
        ({"comment": "x" * 2_001}, "comment"),
    ],
)
def test_what_makes_no_sense_is_refused_at_its_field(item: Item, ada: User, given: dict[str, str], field: str) -> None:
    with pytest.raises(CertifierError) as refusal:
        decide(actor=ada, item=item, **({"verdict": "confirm"} | given))
    assert refusal.value.errors[0]["field"] == field
    assert not item.decisions.exists()


def test_a_virtual_defect_cannot_be_the_reason(item: Item, ada: User, lar: System) -> None:
    defects.define_defect(actor=None, name="LAR_ANY", system=lar, expression=f"{NOISE} or {CORRUPT}")
    with pytest.raises(DecisionRefused, match="virtual"):
        decide(actor=ada, item=item, verdict="confirm", defect="LAR_ANY")


@pytest.mark.parametrize("who", ["ben", "dee", "eli"])
def test_who_is_no_expert_of_the_system_is_refused(item: Item, who: str, pixel: System) -> None:
    people = {"ben": ("shifter", None), "dee": ("", None), "eli": ("expert", pixel)}
    role, system = people[who]
    with pytest.raises(NotAllowed, match="expert of LAR"):
        decide(actor=cast.make_user(who, role, system), item=item, verdict="confirm")
    assert entries() == []


def test_a_coordinator_may_decide(item: Item, chi: User) -> None:
    assert decide(actor=chi, item=item, verdict="override").by == chi


def test_what_somebody_else_holds_is_left_to_them(item: Item, ada: User, chi: User) -> None:
    claims.claim(actor=ada, item=item)
    with pytest.raises(HeldByOther, match="ada holds item"):
        decide(actor=chi, item=item, verdict="confirm")
    decide(actor=ada, item=item, verdict="confirm")
    assert claims.live_claim(item) is None


def test_it_is_decided_once(item: Item, ada: User, chi: User) -> None:
    decide(actor=ada, item=item, verdict="confirm")
    with pytest.raises(AlreadyDecided, match="ada decided item"):
        decide(actor=chi, item=item, verdict="override")


def test_a_superseded_item_is_not_decided_and_names_the_one_in_its_place(item: Item, lar: System, ada: User) -> None:
    score(champion(lar, 2), item.scoring.dataset, F("6-9"))
    find_items()
    [newer] = items(lar)
    with pytest.raises(ItemSuperseded, match=f"Look at item {newer.pk}"):
        decide(actor=ada, item=item, verdict="confirm")
    assert entries() == []


def test_when_an_entry_is_refused_nothing_is_decided(item: Item, ada: User, pixel: System) -> None:
    """Ada may decide about LAR, and record no defect of PIXEL."""
    defects.define_defect(actor=None, name="PIXEL_OFF", system=pixel)
    with pytest.raises(NotAllowed):
        decide(actor=ada, item=item, verdict="confirm", defect="PIXEL_OFF")
    item.refresh_from_db()
    assert item.state == "open"
    assert not item.decisions.exists()


def test_numbers_count_the_decisions_of_an_item(item: Item, ada: User) -> None:
    first = decide(actor=ada, item=item, verdict="confirm")
    assert (first.number, first.answer) == (1, Answer.CONFIRM)
