"""Whoever holds an item that shows no verdict is not told it by any page or REST either; everybody else is."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from certifier.accounts.models import System, User
from certifier.lumi import LumiSet
from certifier.precert.selectors import verdicts_of_run
from certifier.review import claims
from certifier.review.deciding import decide
from certifier.review.intake import find_items
from certifier.review.models import Claim, Item, Kind
from certifier.review.sampling import Sampler
from tests import cast
from tests.precert import champions
from tests.web.experiment import part, words

from .queue_world import NOISE, RUN, F, champion, define, score, take

pytestmark = pytest.mark.django_db
LAST = 400
Page = Callable[[User | None], Client]


@dataclass(frozen=True)
class Blind:
    """An item that shows no verdict, and the finding in it; and another finding that is shown openly."""

    item: Item
    there: str
    open: Item


@pytest.fixture
def blind(lar: System, settings: Any) -> Blind:
    """A bad finding in an audited piece of the run; an unsure one in a piece that nobody audits."""
    settings.REVIEW_AUDIT_SHARE = 0.1
    define(lar)
    sampler = Sampler("LAR", RUN)
    pieces = list(sampler.pieces(LAST))
    audited = next(piece for piece in pieces if sampler.is_audited(piece))
    plain = next(piece for piece in pieces[:-1] if not sampler.is_audited(piece))
    score(champion(lar), take(RUN, LAST), F(str(audited.first), "bad"), F(str(plain.first), "unsure"))
    find_items()
    found = Item.objects.get(finding__lumisections=str(audited.first))
    assert (found.is_blind, found.kind, found.lumisections) == (True, Kind.AUDIT, audited)
    return Blind(found, str(audited.first), Item.objects.get(finding__lumisections=str(plain.first)))


@pytest.fixture
def amy(lar: System) -> User:
    """Another expert of LAR, who holds nothing."""
    return cast.make_expert("amy", lar)


@pytest.fixture
def held(blind: Blind, ada: User) -> Blind:
    claims.claim(actor=ada, item=blind.item)
    return blind


def lane(client: Client, key: str) -> dict[str, Any]:
    """What the script of the run's strip draws."""
    html = client.get(f"/runs/{RUN}/").content.decode()
    start = html.index('id="strip-data"')
    data = json.loads(html[html.index(">", start) + 1 : html.index("</script>", start)])
    return dict(data["lanes"][key])


def of(parts: list[list[Any]], kind: str) -> LumiSet:
    together = LumiSet()
    for found, where, _ in parts:
        together |= LumiSet.parse(where) if found == kind else LumiSet()
    return together


def test_the_strip_of_the_run_page_has_neither_verdict_nor_score(held: Blind, page: Page, ada: User, amy: User) -> None:
    where = held.item.lumisections
    hers, others = lane(page(ada), "machine:LAR"), lane(page(amy), "machine:LAR")
    assert str(of(others["parts"], "bad")) == held.there
    assert not of(hers["parts"], "bad")
    assert not of(hers["parts"], "good") & where
    assert of(hers["parts"], "none") == where
    assert any("hidden from you until" in word for _, _, word in hers["parts"])
    openly = str(held.open.lumisections)
    assert {finding[0] for finding in others["findings"]} == {held.there, openly}
    assert {finding[0] for finding in hers["findings"]} == {openly}
    scores, shown = lane(page(ada), "score:LAR"), lane(page(amy), "score:LAR")
    assert {scores["scores"][number - 1] for number in where.numbers()} == {None}
    assert shown["scores"][int(held.there) - 1] == 990
    assert scores["hidden"] == [list(pair) for pair in where]
    assert "hidden" not in shown


def test_the_run_page_says_so_in_words(held: Blind, page: Page, ada: User, amy: User) -> None:
    claim = Claim.objects.get(item=held.item)
    html = page(ada).get(f"/runs/{RUN}/").content.decode()
    said = f"Hidden from you until {claim.until:%H:%M} UTC, and as long as you hold review item {held.item.pk}"
    assert said in words(part(html, "strip"))
    findings = words(part(html, "findings"))
    assert f"LAR, LS {held.item.lumisections}: findings there are not listed. {said}" in findings
    assert NOISE not in words(part(html, "strip"))
    assert f"bad LAR {held.there} {NOISE}" not in findings
    others = page(amy).get(f"/runs/{RUN}/").content.decode()
    assert f"bad LAR {held.there} {NOISE}" in words(part(others, "findings"))
    assert "idden from you" not in others


def test_rest_scores_leave_it_out_and_say_why(held: Blind, api: Any, ada: User, amy: User) -> None:
    address = f"/api/v1/runs/{RUN}/scores/?system=LAR"
    (hers,) = api(ada).get(address).json()["systems"]
    (others,) = api(amy).get(address).json()["systems"]
    where = held.item.lumisections
    assert others["bad"] == held.there
    assert "hidden" not in others
    assert (hers["bad"], hers["unscored"], hers["unsure"]) == ("", str(where), others["unsure"])
    sets = [LumiSet.parse(hers[name]) for name in ("good", "bad", "unsure", "unscored")]
    assert sum(map(len, sets)) == len(sets[0] | sets[1] | sets[2] | sets[3]) == LAST
    assert {hers["scores"][number - 1] for number in where.numbers()} == {None}
    assert hers["hidden"]["lumisections"] == str(where)
    assert hers["hidden"]["until"] == Claim.objects.get(item=held.item).until.isoformat().replace("+00:00", "Z")
    assert f"review item {held.item.pk}" in hers["hidden"]["why"]


def test_the_page_of_the_model_has_no_verdict_of_it(held: Blind, page: Page, ada: User, amy: User) -> None:
    address = f"/models/{held.item.scoring.version_id}/"
    hers, others = (page(user).get(address).content.decode() for user in (ada, amy))
    count = len(held.item.lumisections)
    assert f"bad {held.there}" in others
    assert "idden from you" not in others
    scored = part(hers, "scored")
    assert "bad nowhere" in scored
    assert f"hidden from you {count}" in words(scored)
    assert f"LS {held.item.lumisections}. Hidden from you until" in words(scored)


def test_evidence_of_another_item_of_the_run_shows_the_rest(held: Blind, page: Page, ada: User, amy: User) -> None:
    address = f"/review/{held.open.pk}/?all=1"
    hers, others = (page(user).get(address).content.decode() for user in (ada, amy))
    assert f"bad {held.there}" in others
    assert "bad nowhere" in hers
    assert "Hidden from you until" in words(hers)
    assert "idden from you" not in others


@pytest.mark.parametrize("per", ["run", "lumisection"])
def test_trends_leave_it_out(held: Blind, page: Page, ada: User, amy: User, per: str) -> None:
    asked = {"draw": "score.LAR : run : bad.LAR", "per": per, "runs": str(RUN)}
    answers = [page(user).get("/trends/draw/points.csv", asked) for user in (ada, amy)]
    assert [answer.status_code for answer in answers] == [200, 200]
    hers, others = (list(csv.DictReader(answer.content.decode().splitlines())) for answer in answers)
    if per == "run":
        assert [row["colour"] for row in (*hers, *others)] == ["0.0", "1.0"]
        assert float(hers[0]["y"]) < float(others[0]["y"])
    else:
        told = LumiSet.from_numbers(int(row["lumisection"]) for row in hers)
        assert told == LumiSet.whole(LAST) - held.item.lumisections
        assert len(others) == LAST


def test_the_administration_pages_leave_it_out(blind: Blind, page: Page, ova: User) -> None:
    client = page(ova)
    for model in ("scoring", "finding"):
        assert "LAR model 1" in client.get(f"/admin/precert/{model}/").content.decode() or model == "finding"
    listed = client.get("/admin/precert/finding/?verdict__exact=bad").content.decode()
    assert "1 finding" in listed
    claims.claim(actor=ova, item=blind.item)
    assert "0 findings" in client.get("/admin/precert/finding/?verdict__exact=bad").content.decode()
    assert "0 scorings" in client.get("/admin/precert/scoring/").content.decode()


def test_nor_what_the_champion_expected_of_its_elements(
    lar: System, page: Page, ada: User, amy: User, settings: Any
) -> None:
    settings.REVIEW_BLIND_SHARE = 1.0
    version, dataset = champions.champion(lar, champions.few_rates(), {"name": "rates", "quantities": True})
    score(version, dataset, F("5", "bad"))
    find_items()
    claims.claim(actor=ada, item=Item.objects.get())
    address = f"/histograms/champion/{dataset.run.number}/{champions.FEW[0]}/"
    hers, others = (words(page(each).get(address).content.decode()) for each in (ada, amy))
    assert "Hidden from you until" in hers
    assert "Work it out" not in hers
    assert "Work it out" in others


def test_nothing_else_is_hidden(held: Blind, pixel: System, ada: User, chi: User) -> None:
    """Another system of the run, and another run, are shown; and to the program itself everything is."""
    run = held.item.run
    assert [each.system.code for each in verdicts_of_run(run, viewer=ada) if each.hidden] == ["LAR"]
    assert not any(each.hidden for each in verdicts_of_run(run, viewer=chi))
    assert not any(each.hidden for each in verdicts_of_run(run))
    other = take(RUN + 1, LAST)
    score(held.item.scoring.version, other, F("5-9"))
    assert not any(each.hidden for each in verdicts_of_run(other.run, viewer=ada))


def test_what_is_held_openly_hides_nothing(blind: Blind, api: Any, ada: User) -> None:
    claims.claim(actor=ada, item=blind.open)
    (answer,) = api(ada).get(f"/api/v1/runs/{RUN}/scores/?system=LAR").json()["systems"]
    assert answer["bad"] == blind.there
    assert "hidden" not in answer


@pytest.mark.parametrize("how", ["decided", "given back", "taken over", "lease over"])
def test_it_is_told_again_when_they_no_longer_hold_it(held: Blind, api: Any, ada: User, amy: User, how: str) -> None:
    match how:
        case "decided":
            decide(actor=ada, item=held.item, verdict="override")
        case "given back":
            claims.release(actor=ada, item=held.item)
        case "taken over":
            claims.take_over(actor=amy, item=held.item, reason="She is at lunch.")
        case "lease over":
            row = Claim.objects.get(item=held.item)
            row.until -= claims.LEASE + timedelta(seconds=1)
            row.save()
    address = f"/api/v1/runs/{RUN}/scores/?system=LAR"
    (hers,) = api(ada).get(address).json()["systems"]
    assert hers["bad"] == held.there
    (others,) = api(amy).get(address).json()["systems"]
    assert others["bad"] == ("" if how == "taken over" else held.there)


def test_it_costs_the_run_page_one_query_and_only_who_may_decide(
    held: Blind, page: Page, ada: User, ben: User, django_assert_max_num_queries: Any
) -> None:
    for user, most in ((ada, 13), (ben, 12)):
        client = page(user)
        client.get(f"/runs/{RUN}/")
        with django_assert_max_num_queries(most):
            client.get(f"/runs/{RUN}/")
