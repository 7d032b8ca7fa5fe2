"""Which automatic verdicts an expert sees without knowing follows from a key; nobody can choose them, nor tell them."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from certifier.accounts.models import System, User
from certifier.lumi import LumiSet
from certifier.review.deciding import decide
from certifier.review.intake import find_items
from certifier.review.labels import labels_of
from certifier.review.models import Item, Kind
from certifier.review.sampling import Sampler

from .queue_world import NOISE, RUN, F, champion, define, score, take


def test_the_pieces_of_a_run_are_a_partition_and_only_grow() -> None:
    sampler = Sampler("LAR", RUN)
    short, long = list(sampler.pieces(100)), list(sampler.pieces(1_000))
    assert sum(len(piece) for piece in long) == 1_000
    assert LumiSet.whole(1_000) == LumiSet.from_ranges([pair for piece in long for pair in piece])
    assert long[: len(short) - 1] == short[:-1]
    assert all(4 <= len(piece) <= 16 for piece in long[:-1])


def test_they_are_chosen_with_the_share_that_is_set(settings: Any) -> None:
    settings.REVIEW_AUDIT_SHARE = 0.03
    chosen = total = 0
    for run in range(300):
        pieces = list(Sampler("LAR", run).pieces(500))
        chosen += sum(Sampler("LAR", run).is_audited(piece) for piece in pieces)
        total += len(pieces)
    assert 0.026 < chosen / total < 0.034


def test_the_choice_depends_on_key_system_and_run_alone(settings: Any) -> None:
    settings.REVIEW_AUDIT_SHARE = 0.2
    mine = Sampler("LAR", RUN).audited(2_000)
    assert Sampler("LAR", RUN).audited(2_000) == mine
    assert Sampler("PIXEL", RUN).audited(2_000) != mine
    assert Sampler("LAR", RUN + 1).audited(2_000) != mine
    settings.SECRET_KEY = "another"
    assert Sampler("LAR", RUN).audited(2_000) != mine


def ask(lar: System, *findings: F, last: int = 400) -> list[Item]:
    score(champion(lar), take(last=last), *findings)
    find_items()
    return list(Item.objects.order_by("pk"))


def test_what_was_called_good_is_asked_about_exactly_where_the_key_says(lar: System, settings: Any) -> None:
    settings.REVIEW_AUDIT_SHARE = 0.2
    found = ask(lar, F("50-120", "unsure"))
    sampled = LumiSet()
    for item in found:
        if item.kind == Kind.AUDIT:
            assert item.is_blind
            assert item.chance == 0.2
            sampled |= item.lumisections
    good = LumiSet.whole(400) - LumiSet.parse("50-120")
    assert sampled == Sampler("LAR", RUN).audited(400) & good


def test_of_some_runs_everything_is_asked_about(lar: System, settings: Any) -> None:
    settings.REVIEW_AUDIT_SHARE, settings.REVIEW_WHOLE_SHARE = 0.03, 0.05
    whole = [run for run in range(2_000) if Sampler("LAR", run).is_whole]
    assert 70 < len(whole) < 130
    assert whole != [run for run in range(2_000) if Sampler("PIXEL", run).is_whole], "each system has its own"
    settings.REVIEW_WHOLE_SHARE = 1.0
    found = ask(lar, F("50-120", "unsure"), F("200", "bad"))
    assert LumiSet.whole(400) == LumiSet.from_ranges([pair for item in found for pair in item.lumisections])
    assert all(item.is_blind for item in found if item.verdict != "unsure")


def test_a_sample_says_how_probable_it_was_by_its_piece_or_with_its_run(lar: System, settings: Any) -> None:
    settings.REVIEW_AUDIT_SHARE, settings.REVIEW_WHOLE_SHARE = 0.2, 0.5
    found = [item for item in ask(lar, F("50-120", "unsure")) if item.kind == Kind.AUDIT]
    assert found
    assert {round(item.chance, 6) for item in found} == {0.6}


def test_a_finding_called_bad_is_audited_with_the_piece_in_which_it_begins(lar: System, settings: Any) -> None:
    settings.REVIEW_AUDIT_SHARE = 0.2
    piece = next(piece for piece in Sampler("LAR", RUN).pieces(400) if Sampler("LAR", RUN).is_audited(piece))
    first = piece.first
    found = ask(lar, F(f"{first}-{(first or 0) + 1}"))
    [item] = [item for item in found if item.finding is not None]
    assert (item.kind, item.is_blind) == (Kind.AUDIT, True)
    assert item.lumisections == piece, "the good part of the piece belongs to it"


def test_a_blind_finding_has_the_shape_of_a_sample(lar: System, settings: Any) -> None:
    settings.REVIEW_BLIND_SHARE = 1.0
    [item] = [item for item in ask(lar, F("55", "unsure")) if item.finding is not None]
    piece = next(piece for piece in Sampler("LAR", RUN).pieces(400) if 55 in piece)
    assert (item.kind, item.is_blind, item.lumisections) == (Kind.FINDING, True, piece)


def test_samples_and_findings_stand_in_the_order_of_the_run(lar: System, settings: Any) -> None:
    """A number that tells where an item comes from would tell what the machine said."""
    settings.REVIEW_AUDIT_SHARE, settings.REVIEW_BLIND_SHARE = 0.2, 0.5
    found = ask(lar, *[F(f"{first}", "unsure") for first in range(10, 390, 30)])
    firsts = [item.lumisections.first or 0 for item in found]
    assert firsts == sorted(firsts)


@pytest.fixture
def blind(lar: System, settings: Any) -> dict[str, Item]:
    """One item of each kind, none of which shows its verdict."""
    define(lar)
    settings.REVIEW_AUDIT_SHARE, settings.REVIEW_BLIND_SHARE = 0.2, 1.0
    sampler = Sampler("LAR", RUN)
    pieces = list(sampler.pieces(400))
    plain = [piece.first or 0 for piece in pieces if not sampler.is_audited(piece)]
    found = ask(lar, F(f"{plain[3]}", "bad", NOISE), F(f"{plain[6]}", "unsure", NOISE))
    return {
        "audit": next(item for item in found if item.kind == Kind.AUDIT),
        "bad": next(item for item in found if item.verdict == "bad"),
        "unsure": next(item for item in found if item.verdict == "unsure"),
    }


SAME = ("verdict", "suspected_defect", "score", "is_audit", "state", "what_changed", "decisions", "model", "dataset")


def test_rest_tells_nothing_of_it_before_the_decision(blind: dict[str, Item], ada: User, api: Any) -> None:
    client = api(ada)
    answers = [client.get(f"/api/v1/review-items/{item.pk}/").json() for item in blind.values()]
    for answer in answers:
        assert answer["verdict"] is None
        assert answer["is_audit"] is None
    assert {frozenset(answer) for answer in answers} == {frozenset(answers[0])}
    for name in SAME:
        assert len({str(answer[name]) for answer in answers}) == 1, name
    words = {answer["reason"].split(", ", 2)[2] for answer in answers}
    assert len(words) == 1


def test_pages_tell_nothing_of_it_before_the_decision(blind: dict[str, Item], page: Any, ada: User) -> None:
    client: Client = page(ada)
    for name, item in blind.items():
        text = client.get(f"/review/{item.pk}/?all=1").content.decode()
        main = text[text.index('id="item-title"') :]
        assert "what do you see?" in main, name
        assert "shown after your decision" in main
        for told in ("audit", "P(bad)", "unsure", NOISE + "?", "What the machine saw", "looks like", "mark-bad"):
            assert told not in main.replace(f'value="{NOISE}"', ""), (name, told)


def test_the_order_counts_all_of_them_alike(blind: dict[str, Item]) -> None:
    assert len({round(item.weight / len(item.lumisections), 6) for item in blind.values()}) == 1


def test_the_decision_tells_it(blind: dict[str, Item], ada: User, api: Any, lar: System) -> None:
    decide(actor=ada, item=blind["audit"], verdict="override")
    decide(actor=ada, item=blind["bad"], verdict="override")
    answer = api(ada).get(f"/api/v1/review-items/{blind['audit'].pk}/").json()
    assert (answer["verdict"], answer["is_audit"]) == ("good", True)
    audit, bad = labels_of(lar)
    assert (audit.is_audit, audit.chance, audit.called_good) == (True, 0.2, audit.lumisections)
    assert (bad.is_audit, bad.was_blind, len(bad.called_bad)) == (False, True, 1)
