"""Many clear items are confirmed at once, after a preview: all of them, or none when anything changed."""

from __future__ import annotations

import pytest

from certifier.accounts.models import System, User
from certifier.accounts.permissions import NotAllowed
from certifier.defects.models import Entry
from certifier.review import claims
from certifier.review.bulk import MOST, confirm_all, preview
from certifier.review.deciding import decide
from certifier.review.errors import BulkChanged, DecisionRefused
from certifier.review.models import Decision, Item
from tests import cast

from .queue_world import CORRUPT, NOISE, F, define, queue


@pytest.fixture
def found(lar: System) -> list[Item]:
    define(lar)
    return queue(lar, F("5-9"), F("20-21", "bad", CORRUPT), F("30-41", "unsure"), F("60", "bad", "LAR_NEVER_HEARD_OF"))


def keys(found: list[Item]) -> list[int]:
    return [item.pk for item in found]


def test_the_preview_says_what_it_would_do(found: list[Item], ada: User) -> None:
    seen = preview(ada, keys(found))
    assert [str(item.lumisections) for item in seen.chosen] == ["5-9", "20-21"]
    assert (seen.lumisections, seen.recorded_inv_nb) == (7, 700.0)
    assert seen.by_defect == [(NOISE, 5), (CORRUPT, 2)]
    assert {str(line.item.lumisections): line.why_not for line in seen.left_out} == {
        "30-41": "the machine is not sure: look at it",
        "60": "no defect is suspected: name it",
    }
    assert not Decision.objects.exists()


def test_all_of_them_are_confirmed(found: list[Item], ada: User) -> None:
    done = confirm_all(actor=ada, keys=keys(found), seen=preview(ada, keys(found)).seen)
    assert len(done) == 2
    assert len({row.batch for row in done}) == 1
    entries = Entry.objects.select_related("defect")
    assert {(row.defect.name, str(row.lumisections)) for row in entries} == {(NOISE, "5-9"), (CORRUPT, "20-21")}


def test_nothing_is_confirmed_when_anything_changed(found: list[Item], ada: User, chi: User) -> None:
    seen = preview(ada, keys(found)).seen
    decide(actor=chi, item=found[0], verdict="override")
    with pytest.raises(BulkChanged, match=r"5-9.* is left out now: decided already"):
        confirm_all(actor=ada, keys=keys(found), seen=seen)
    assert Decision.objects.count() == 1
    assert not Entry.objects.exists()


def test_what_another_took_meanwhile_changes_it(found: list[Item], ada: User, chi: User) -> None:
    seen = preview(ada, keys(found)).seen
    claims.claim(actor=chi, item=found[1])
    with pytest.raises(BulkChanged, match="held by chi"):
        confirm_all(actor=ada, keys=keys(found), seen=seen)


def test_what_is_shown_without_its_verdict_is_never_confirmed_so(found: list[Item], ada: User) -> None:
    Item.objects.filter(pk=found[0].pk).update(is_blind=True)
    assert "5-9" not in [str(item.lumisections) for item in preview(ada, keys(found)).chosen]


def test_others_may_look_and_confirm_nothing(found: list[Item], ben: User, pixel: System) -> None:
    for person in (ben, cast.make_expert("eli", pixel)):
        seen = preview(person, keys(found))
        assert seen.chosen == []
        assert all("needs the role expert of LAR" in line.why_not for line in seen.lines)
        with pytest.raises((DecisionRefused, NotAllowed)):
            confirm_all(actor=person, keys=keys(found), seen=seen.seen)


def test_there_is_an_end_to_many(ada: User, db: None) -> None:
    with pytest.raises(DecisionRefused, match="at most 500"):
        preview(ada, range(MOST + 1))
