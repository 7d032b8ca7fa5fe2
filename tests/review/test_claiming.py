"""An item is held by one person for ten minutes: renewed, given back, taken over for a reason."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from certifier.accounts.models import System, User
from certifier.accounts.permissions import NotAllowed
from certifier.audit.models import AuditEvent
from certifier.review import claims
from certifier.review.deciding import decide
from certifier.review.errors import AlreadyDecided, ClaimLost, DecisionRefused, HeldByOther, ItemSuperseded
from certifier.review.models import Claim, Item, ItemState, Remark, Said
from certifier.runs.models import Run
from tests import cast

from .queue_world import F, define, queue


@pytest.fixture
def found(lar: System) -> list[Item]:
    define(lar)
    return queue(lar, F("5-9"), F("30-41"), F("60-62", "unsure"))


@pytest.fixture
def eve(lar: System) -> User:
    return cast.make_expert("eve", lar)


def later(monkeypatch: Any, **by: int) -> None:
    now = timezone.now() + timedelta(**by)
    monkeypatch.setattr(timezone, "now", lambda: now)


def test_the_next_item_is_the_most_urgent_and_then_held(found: list[Item], ada: User) -> None:
    item = claims.claim_next(actor=ada)
    assert item == found[2], "300 /nb of which the machine is not sure come before 1.2 /pb of which it is"
    held = claims.live_claim(item)
    assert held is not None
    assert (held.by, held.until - held.at) == (ada, timedelta(minutes=10))


def test_the_next_person_gets_another_one(found: list[Item], ada: User, eve: User, chi: User) -> None:
    given = [claims.claim_next(actor=person) for person in (ada, eve, chi)]
    assert len({item.pk for item in given if item}) == 3
    assert claims.claim_next(actor=cast.make_user("cyd", "coordinator")) is None


def test_who_holds_an_item_is_given_it_again(found: list[Item], ada: User) -> None:
    first = claims.claim_next(actor=ada)
    assert claims.claim_next(actor=ada) == first
    assert first is not None
    assert claims.claim_next(actor=ada, after=first.pk) != first


def test_a_lease_ends_by_itself(found: list[Item], ada: User, eve: User, monkeypatch: Any) -> None:
    first = claims.claim_next(actor=ada)
    later(monkeypatch, minutes=11)
    assert claims.claim_next(actor=eve) == first
    assert first is not None
    assert Claim.objects.get(item=first).by == eve


def test_a_heartbeat_renews_it(found: list[Item], ada: User, monkeypatch: Any) -> None:
    claims.claim(actor=ada, item=found[0])
    later(monkeypatch, minutes=9)
    renewed = claims.renew(actor=ada, item=found[0])
    assert renewed.until == timezone.now() + timedelta(minutes=10)


def test_what_is_no_longer_held_is_not_renewed(found: list[Item], ada: User, eve: User, monkeypatch: Any) -> None:
    with pytest.raises(ClaimLost):
        claims.renew(actor=ada, item=found[0])
    claims.claim(actor=ada, item=found[0])
    with pytest.raises(ClaimLost):
        claims.renew(actor=eve, item=found[0])
    later(monkeypatch, minutes=11)
    with pytest.raises(ClaimLost):
        claims.renew(actor=ada, item=found[0])


def test_it_is_given_back(found: list[Item], ada: User, eve: User) -> None:
    claims.claim(actor=ada, item=found[0])
    claims.release(actor=eve, item=found[0])
    assert claims.live_claim(found[0]) is not None, "nobody gives back what another holds"
    claims.release(actor=ada, item=found[0])
    claims.release(actor=ada, item=found[0])
    assert claims.live_claim(found[0]) is None


def test_another_is_told_who_holds_it_and_until_when(found: list[Item], ada: User, eve: User) -> None:
    held = claims.claim(actor=ada, item=found[0])
    with pytest.raises(HeldByOther, match=f"ada holds item .* until {held.until:%H:%M} UTC"):
        claims.claim(actor=eve, item=found[0])


def test_it_is_taken_over_for_a_reason_that_is_kept(found: list[Item], ada: User, eve: User) -> None:
    claims.claim(actor=ada, item=found[0])
    with pytest.raises(DecisionRefused, match="Say why"):
        claims.take_over(actor=eve, item=found[0], reason=" ")
    claims.take_over(actor=eve, item=found[0], reason="Ada went home.")
    assert Claim.objects.get(item=found[0]).by == eve
    assert Remark.objects.get(kind=Said.TAKE_OVER).text == "from ada: Ada went home."
    assert AuditEvent.objects.get(code="review.take_over").data["from"] == "ada"


def test_what_was_skipped_is_left_to_others(found: list[Item], ada: User, eve: User, monkeypatch: Any) -> None:
    first = claims.claim_next(actor=ada)
    assert first is not None
    claims.skip(actor=ada, item=first, reason="I was on shift there.")
    assert claims.claim_next(actor=ada) != first
    assert claims.claim_next(actor=eve) == first
    claims.release(actor=eve, item=first)
    later(monkeypatch, hours=9)
    assert claims.claim_next(actor=ada) == first


@pytest.mark.parametrize("text", ["", "x" * 2_001])
def test_a_reason_and_a_comment_have_something_in_them(found: list[Item], ada: User, text: str) -> None:
    for act in (lambda: claims.skip(actor=ada, item=found[0], reason=text),
                lambda: claims.comment(actor=ada, item=found[0], text=text)):  # fmt: skip
        with pytest.raises(DecisionRefused):
            act()


def test_a_comment_decides_nothing(found: list[Item], ada: User) -> None:
    claims.comment(actor=ada, item=found[0], text="Who knows this pattern?")
    found[0].refresh_from_db()
    assert found[0].state == ItemState.OPEN


def test_only_the_chosen_items_are_given(found: list[Item], ada: User) -> None:
    wanted = Item.objects.filter(run=Run.objects.get(), verdict="bad")
    given = claims.claim_next(actor=ada, items=wanted)
    assert given is not None
    assert given.verdict == "bad"


def test_what_does_not_wait_is_not_held(found: list[Item], ada: User, eve: User) -> None:
    decide(actor=ada, item=found[0], verdict="confirm")
    with pytest.raises(AlreadyDecided):
        claims.claim(actor=eve, item=found[0])
    Item.objects.filter(pk=found[1].pk).update(state=ItemState.SUPERSEDED)
    with pytest.raises(ItemSuperseded):
        claims.claim(actor=eve, item=found[1])


def test_experts_are_given_items_of_their_systems_only(found: list[Item], pixel: System) -> None:
    assert claims.claim_next(actor=cast.make_expert("eli", pixel)) is None


@pytest.mark.parametrize("role", ["shifter", "viewer", ""])
def test_whoever_is_no_expert_holds_nothing(found: list[Item], role: str) -> None:
    person = cast.make_user("dee", role)
    assert claims.claim_next(actor=person) is None
    for act in (claims.claim, claims.renew, claims.release):
        with pytest.raises(NotAllowed):
            act(actor=person, item=found[0])
    with pytest.raises(NotAllowed):
        claims.take_over(actor=person, item=found[0], reason="I want it.")
    with pytest.raises(NotAllowed):
        claims.skip(actor=person, item=found[0], reason="I do not want it.")
    with pytest.raises(NotAllowed):
        claims.comment(actor=person, item=found[0], text="Hm.")
